/*
 * usage: no_port_range COMMAND [ARGUMENT]...
 *
 * Runs the command on a kernel before Linux 6.3, as far as it can tell: a seccomp
 * filter has setsockopt(IP_LOCAL_PORT_RANGE) fail with ENOPROTOOPT.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <netinet/in.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <err.h>
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#define OPTION 51 /* IP_LOCAL_PORT_RANGE; not in all C libraries */

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))

int
main(int argc, char **argv)
{
	struct sock_filter code[] = {
	    LOAD(nr),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 5),
	    LOAD(args[1]),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_IP, 0, 3),
	    LOAD(args[2]),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OPTION, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {
	    .len = sizeof(code) / sizeof(code[0]),
	    .filter = code,
	};

	if (argc < 2)
		errx(2, "usage: no_port_range COMMAND [ARGUMENT]...");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == -1)
		err(1, "seccomp");
	execvp(argv[1], argv + 1);
	err(1, "%s", argv[1]);
}
