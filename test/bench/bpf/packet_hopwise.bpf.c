// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Over hopwise's own route tables. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "fib.h"

#include "packet.h"
