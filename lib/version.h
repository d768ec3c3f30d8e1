#ifndef LIB_VERSION_H
#define LIB_VERSION_H

#define TCPSCALER_VERSION "2.0.0"

#endif
