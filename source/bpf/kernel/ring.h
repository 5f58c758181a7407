/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */

/* ring.h is the way out. */

#ifndef LINEAGE_RING_H
#define LINEAGE_RING_H

#include "records.h"

struct shared shared = {};

struct {
	__uint(type, MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

struct {
	__uint(type, MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct drop);
} drops SEC(".maps");

/* A tracepoint runs with preemption off, and no program runs in itself, so
 * each may have a place of its own for what its stack has no room for. */
struct {
	__uint(type, MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exec);
} exec_room SEC(".maps");

struct {
	__uint(type, MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct process);
} fork_room SEC(".maps");

/* put tells a record. One that finds no room is counted; the reader makes a
 * loss of it. The time is when the record's program began. */
static __always_inline bool put(void *record, u64 size, u64 time)
{
	bool wake = !shared.woken && bpf_ringbuf_query(&events, RB_AVAIL_DATA) >= shared.fill;

	if (bpf_ringbuf_output(&events, record, size, wake ? RB_FORCE_WAKEUP : RB_NO_WAKEUP) == 0) {
		if (wake)
			shared.woken = 1;
		return true;
	}
	u32 zero = 0;
	struct drop *d = bpf_map_lookup_elem(&drops, &zero);

	if (d) {
		if (d->first == 0 || d->told != shared.told) {
			d->told = shared.told;
			d->first = time;
		}
		d->last = time;
	}
	__sync_fetch_and_add(&shared.dropped, 1);
	return false;
}

#endif
