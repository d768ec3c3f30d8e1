# make          builds tcpclient and tcpserver
# make demo     installs what building takes, builds, and measures loopback
# make check    installs what testing takes, builds, and runs all tests
# make sanitize builds with ASan and UBSan and runs the same tests, with gcc and
#               then with clang; sanitize-gcc and sanitize-clang do one of them
# make fuzz     gives each parser inputs for FUZZ_SECONDS=60, with libFuzzer
# make faults   runs both programs with each function that they call failing
# make healthy  runs of which nothing is wrong, none of which may find a limit
# make exchange holds service times against tcpdump's, see bench/exchange
# make bench    holds the programs against bare epoll loops, see bench/README.md
# make install  [DESTDIR=] [PREFIX=/usr/local]

CC ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
BUILD ?= build
BIN ?= .

PACKAGES = libevent_core libbsd jansson
WARNINGS = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
    -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
    -Wvla -Wformat=2
# evaluated only when something is compiled: before that, deps may install it
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES))
ALL_CFLAGS = -I. -std=c11 -D_GNU_SOURCE $(WARNINGS) $(PKG_CFLAGS) $(CFLAGS)
LDLIBS = $(PKG_LIBS) -lm

LIB_SOURCES = $(wildcard lib/*.c)
WIRE_SOURCES = dns_query.c $(wildcard wire/*.c)
CLIENT_SOURCES = tcpclient.c $(WIRE_SOURCES) $(wildcard client/*.c) $(LIB_SOURCES)
SERVER_SOURCES = tcpserver.c $(WIRE_SOURCES) dns_reply.c \
    $(wildcard server/*.c) $(LIB_SOURCES)
UNIT_SOURCES = $(wildcard tests/unit/*.c)
HELPER_SOURCES = $(wildcard tests/helpers/*.c)
UNITS = $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/unit/%)
PRELOAD_SOURCES = $(wildcard tests/preload/*.c)
HELPERS = $(HELPER_SOURCES:%.c=$(BUILD)/%) $(PRELOAD_SOURCES:%.c=$(BUILD)/%.so)
FUZZ_SOURCES = $(wildcard tests/fuzz/*_fuzz.c)
FUZZERS = $(FUZZ_SOURCES:%.c=$(BUILD)/%)
FORMATTED = $(wildcard *.[ch] lib/*.[ch] client/*.[ch] server/*.[ch] wire/*.[ch] \
    bench/*.[ch] tests/unit/*.[ch] tests/helpers/*.[ch] \
    tests/fuzz/*.[ch] tests/faults/*.c tests/preload/*.[ch])

comma = ,
objects = $(1:%.c=$(BUILD)/%.o)
# what a unit test may link: everything but the programs
TESTABLE = $(call objects,$(WIRE_SOURCES) dns_reply.c $(wildcard client/*.c) \
    $(wildcard server/*.c) $(LIB_SOURCES))

SANITIZED = sanitize-gcc sanitize-clang

.PHONY: all bench exchange faults fuzz fuzzers healthy deps deps-check demo tests \
    check sanitize $(SANITIZED) sanitized-tests format format-check install clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BIN)/tcpclient $(BIN)/tcpserver

$(BIN)/tcpclient: $(call objects,$(CLIENT_SOURCES))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BIN)/tcpserver: $(call objects,$(SERVER_SOURCES))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(TESTABLE)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/tests/helpers/%: $(BUILD)/tests/helpers/%.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# A fuzz target with a main of its own, to replay inputs, or with libFuzzer's; in
# both what ends the program or allocates can be caught, see tests/fuzz/fuzz.h.
FUZZ_MAIN = $(BUILD)/tests/fuzz/replay.o
FUZZ_LINK =
FUZZ_WRAPPED = malloc calloc realloc reallocarray strdup free fopen fclose \
    open_memstream exit err errx warn warnx
$(FUZZERS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/tests/fuzz/support.o $(FUZZ_MAIN) \
    $(TESTABLE)
	$(CC) $(CFLAGS) $(LDFLAGS) $(FUZZ_LINK) -o $@ $^ $(LDLIBS) \
	    $(addprefix -Wl$(comma)--wrap=,$(FUZZ_WRAPPED))

fuzzers: $(FUZZERS)

FUZZ_SECONDS ?= 60
FUZZ_SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all
fuzz: deps-check
	@mkdir -p $(BUILD)/fuzz
	@$(MAKE) --no-print-directory fuzzers BUILD=$(BUILD)/fuzz CC=clang \
	    CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link \
	    $(FUZZ_SANITIZE)" FUZZ_MAIN= FUZZ_LINK=-fsanitize=fuzzer
	@tests/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS)

# loaded into programs that may have been built with a sanitizer: it has none
$(BUILD)/tests/preload/%.so: tests/preload/%.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) -O1 -g -fPIC -shared -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

deps:
	@.ci/deps build

deps-check:
	@.ci/deps check

demo: deps
	@$(MAKE) --no-print-directory all
	@tests/demo $(BIN)

FAULT = $(BUILD)/tests/faults/fault.so
$(FAULT): tests/faults/fault.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fno-sanitize=all -fPIC -shared -o $@ $< -ldl

faults: deps-check
	@$(MAKE) --no-print-directory tests
	@tests/faults/run $(BIN) $(FAULT)

tests: all $(UNITS) $(HELPERS) $(FUZZERS) $(FAULT)

check: deps-check
	@$(MAKE) --no-print-directory tests
	@tests/run $(BIN) $(BUILD)

# Each compiler sees what the other does not: only clang that NULL + 0 is
# undefined, for example. float-cast-overflow is a part of undefined in neither.
SANITIZE = -O1 -g -fno-omit-frame-pointer \
    -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all
sanitize: $(SANITIZED)

$(SANITIZED): sanitize-%: deps-check
	@$(MAKE) --no-print-directory sanitized-tests CC=$*
	@tests/run $(BUILD)/sanitize-$* $(BUILD)/sanitize-$*

# The instrumented programs and tests alone, by the compiler CC.
sanitized-tests:
	@mkdir -p $(BUILD)/sanitize-$(CC)
	@$(MAKE) --no-print-directory tests BUILD=$(BUILD)/sanitize-$(CC) \
	    BIN=$(BUILD)/sanitize-$(CC) CFLAGS="$(SANITIZE)"

BARE = $(BUILD)/bench/bare_client $(BUILD)/bench/bare_server
bench: all $(BARE)
	@bench/run $(BIN) $(BUILD)/bench $(BENCH_CONNECTIONS)

$(BUILD)/bench/%: $(BUILD)/bench/%.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -lm

# service times against tcpdump's, with 1,500 connections a second: needs root
exchange: all
	@bench/exchange $(BIN)

healthy: all
	@tests/healthy $(BIN)

format:
	clang-format -i $(FORMATTED)

format-check:
	clang-format --dry-run --Werror $(FORMATTED)

# in quotes, so that the names of directories may have spaces
INSTALLED = $(DESTDIR)$(PREFIX)
install: all
	install -d "$(INSTALLED)/bin" "$(INSTALLED)/share/tcpscaler" \
	    "$(INSTALLED)/share/man/man1"
	install -m 755 $(BIN)/tcpclient $(BIN)/tcpserver "$(INSTALLED)/bin"
	install -m 755 setup-client.sh "$(INSTALLED)/bin/tcpscaler-setup-client"
	install -m 755 setup-server.sh "$(INSTALLED)/bin/tcpscaler-setup-server"
	install -m 755 plot.sh "$(INSTALLED)/bin/tcpscaler-plot"
	install -m 644 lib/setup.sh "$(INSTALLED)/share/tcpscaler"
	install -m 644 man/tcpclient.1 man/tcpserver.1 \
	    "$(INSTALLED)/share/man/man1"

clean:
	rm -rf $(BUILD) tcpclient tcpserver
