/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */

/* cgroup.h is which cgroups a task is in.
 *
 * A membership is told by a number, of a set of one cgroup in each hierarchy.
 * Before a number is first used, a LINE record for each of its hierarchies says
 * what it means. A number means one set for good; a set may have more than one
 * number. Zero is a membership that could not be told. */

#ifndef LINEAGE_CGROUP_H
#define LINEAGE_CGROUP_H

#include "ring.h"

/* Where a set is looked for: each has room of its own. */
enum where { IN_FORK, IN_EXEC, IN_MOVE, IN_SCAN, WHERES };

enum {
	MAX_SETS = 8192,
	MAX_DEPTH = 32,
	TRIES = 2,
	CREATORS = 256, /* a power of two */
	ANCHORS = 256,	/* as well */
};

/* A set by the serial numbers of its cgroups, which no two cgroups of a
 * hierarchy share (cgroup_create; the root's is zero), in the order in which
 * the hierarchies were set up (link_css_set). */
struct set {
	u64 n;
	u64 serial[MAX_HIERARCHIES];
};

/* A number that a set was told by, and when. */
struct told {
	u64 number;
	u64 as_of; /* shared.epoch, or of a scan shared.scan; both begin at one */
};

struct known {
	struct told ring, scan;
};

struct {
	__uint(type, MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_SETS);
	__type(key, struct set);
	__type(value, struct known);
} sets SEC(".maps");

struct set_room {
	u64 numbers; /* how many it has given out */
	struct task_struct *task;
	struct css_set *css; /* the task's, or another one where there is no task */
	struct set set;
	struct cgroup *cgroup[MAX_HIERARCHIES];
	char link[128]; /* a struct cgrp_cset_link */
	struct line line;
};

struct {
	__uint(type, MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WHERES);
	__type(key, u32);
	__type(value, struct set_room);
} set_rooms SEC(".maps");

/* read_css finds the cgroups of the css_set in a room. It returns false where
 * there are too many. The verifier looks at this function by itself, as at every
 * one that is not inline. */
__noinline int read_css(u32 where)
{
	struct set_room *room = bpf_map_lookup_elem(&set_rooms, &where);

	if (!room)
		return false;
	struct list_head *head = (void *)room->css + bpf_core_field_offset(struct css_set, cgrp_links);
	struct list_head *node = BPF_CORE_READ(head, next);
	u64 n;

	__builtin_memset(&room->set, 0, sizeof(room->set));
	for (n = 0; n < MAX_HIERARCHIES && node != head; n++) {
		/* The whole link, since each call of the helper costs. */
		void *link = (void *)node - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);

		if (bpf_probe_read_kernel(room->link, bpf_core_type_size(struct cgrp_cset_link), link))
			return false;
		struct cgroup *cgroup = *(void **)(room->link + bpf_core_field_offset(struct cgrp_cset_link, cgrp));

		room->cgroup[n] = cgroup;
		room->set.serial[n] = BPF_CORE_READ(cgroup, self.serial_nr);
		node = *(void **)(room->link + bpf_core_field_offset(struct cgrp_cset_link, cgrp_link.next));
	}
	room->set.n = n;
	return node == head;
}

/* read_set finds the cgroups of the task in a room. A css_set that the task has
 * before and after was its own all the while, for it cannot be freed in between
 * and made again (kfree_rcu), and so were the links in it. */
__noinline int read_set(u32 where)
{
	struct set_room *room = bpf_map_lookup_elem(&set_rooms, &where);

	if (!room)
		return false;
	struct task_struct *task = room->task;

	if (!task)
		return read_css(where);
	for (int i = 0; i < TRIES; i++) {
		room->css = BPF_CORE_READ(task, cgroups);
		bool all = read_css(where);

		if (BPF_CORE_READ(task, cgroups) == room->css)
			return all;
	}
	return false;
}

static __always_inline struct kernfs_node *parent_of(struct kernfs_node *kn)
{
	struct kernfs_node___parent *old = (void *)kn;

	if (bpf_core_field_exists(struct kernfs_node, __parent))
		return BPF_CORE_READ(kn, __parent);
	return BPF_CORE_READ(old, parent);
}

/* fill_line reads where the i-th cgroup of a set lies. It returns zero where
 * the path is too long. */
__noinline int fill_line(u32 where, u64 i, u64 number)
{
	struct set_room *room = bpf_map_lookup_elem(&set_rooms, &where);

	if (!room || i >= MAX_HIERARCHIES)
		return 0;
	struct line *r = &room->line;
	struct cgroup *cgroup = room->cgroup[i];
	struct kernfs_node *kn = BPF_CORE_READ(cgroup, kn);
	u64 size = 0;
	int depth;

	r->head.kind = LINE;
	r->head.flags = 0;
	r->head.time = 0;
	r->set = number;
	r->cgroup = BPF_CORE_READ(kn, id);
	r->lines = room->set.n;
	r->line = i;
	r->hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
	for (depth = 0; depth < MAX_DEPTH; depth++) {
		struct kernfs_node *up = parent_of(kn);

		if (!up)
			break;
		if (size > MAX_PATH - NAME_SIZE)
			return 0;
		long n = bpf_probe_read_kernel_str(r->path + size, NAME_SIZE, BPF_CORE_READ(kn, name));

		if (n <= 0)
			return 0;
		size += n;
		kn = up;
	}
	if (depth == MAX_DEPTH || size > MAX_PATH)
		return 0;
	r->size = size;
	return 1;
}

/* tell_set tells all lines of the set, in the ring or to a scan. */
static __always_inline bool tell_set(struct set_room *room, u32 where, struct seq_file *seq, u64 number)
{
	for (u64 i = 0; i < MAX_HIERARCHIES; i++) {
		if (i >= room->set.n)
			break;
		if (!fill_line(where, i, number))
			return false;
		u64 size = __builtin_offsetof(struct line, path) + room->line.size;

		if (size > sizeof(room->line))
			return false;
		if (seq) {
			if (bpf_seq_write(seq, &room->line, size))
				return false;
		} else if (!put(&room->line, size, bpf_ktime_get_boot_ns())) {
			return false;
		}
	}
	return true;
}

/* known_set returns the number of the set in room, which is told first if it has
 * to be. Every telling has a number of its own, so that none ever means another
 * thing. */
static __always_inline u64 known_set(struct set_room *room, u32 where, struct seq_file *seq)
{
	struct known *old = bpf_map_lookup_elem(&sets, &room->set);
	struct told now = {.as_of = seq ? shared.scan : shared.epoch};
	struct known k = {};

	if (old) {
		struct told *was = seq ? &old->scan : &old->ring;

		if (was->as_of == now.as_of)
			return was->number;
		k = *old;
	}
	now.number = (++room->numbers * WHERES + where) << 16 | (bpf_get_smp_processor_id() & 0xffff);
	if (!tell_set(room, where, seq, now.number))
		return 0;
	struct task_struct *task = room->task;

	if (task && BPF_CORE_READ(task, cgroups) != room->css)
		return 0; /* its cgroups may have been gone while they were read */
	if (seq)
		k.scan = now;
	else
		k.ring = now;
	bpf_map_update_elem(&sets, &room->set, &k, 0);
	return now.number;
}

__noinline u64 known_in_ring(u32 where)
{
	struct set_room *room = bpf_map_lookup_elem(&set_rooms, &where);

	return room ? known_set(room, where, 0) : 0;
}

/* set_of returns the number of a task's set, told in the ring. */
static __always_inline u64 set_of(struct task_struct *task, u32 where)
{
	struct set_room *room = bpf_map_lookup_elem(&set_rooms, &where);

	if (!room)
		return 0;
	room->task = task;
	return read_set(where) ? known_in_ring(where) : 0;
}

/* set_in_scan returns the number of a task's set, told to a scan; without a
 * task that of a css_set which somebody holds. */
static __always_inline u64 set_in_scan(struct task_struct *task, struct css_set *css, struct seq_file *seq)
{
	u32 where = IN_SCAN;
	struct set_room *room = bpf_map_lookup_elem(&set_rooms, &where);

	if (!room)
		return 0;
	room->task = task;
	room->css = css;
	return read_set(where) ? known_set(room, where, seq) : 0;
}

/* A task that a scan has met, with its set as it was told. */
struct anchor {
	struct task_struct *task;
	u64 start;
	u64 css;
	u64 moves;
	struct told told;
};

struct {
	__uint(type, MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ANCHORS);
	__type(key, u32);
	__type(value, struct anchor);
} anchors SEC(".maps");

static __always_inline u32 anchor_slot(u64 css)
{
	return (css >> 6) & (ANCHORS - 1);
}

/* set_of_seen is set_in_scan, which costs as much as all else in a scan, for
 * tasks of which most share their css_set. Who has the css_set of another task
 * at one time with it is in the set of that one, which while no process is moved
 * is what it was, though its css_set may be another (cgroup_update_dfl_csses).
 * What lies at the address of a task that has ended is another one by its
 * start. */
static __always_inline u64 set_of_seen(struct task_struct *task, struct seq_file *seq)
{
	u64 css = (u64)BPF_CORE_READ(task, cgroups), moves = shared.moves, scan = shared.scan;
	u32 slot = anchor_slot(css);
	struct anchor *a = bpf_map_lookup_elem(&anchors, &slot);

	if (!a)
		return 0;
	if (a->css == css && a->moves == moves && a->told.as_of == scan) {
		struct task_struct *met = a->task;

		if ((u64)BPF_CORE_READ(met, cgroups) == css && (u64)BPF_CORE_READ(task, cgroups) == css &&
		    BPF_CORE_READ(met, start_boottime) == a->start)
			return a->told.number;
	}
	u64 number = set_in_scan(task, 0, seq);

	if (number && (u64)BPF_CORE_READ(task, cgroups) == css) {
		a->task = task;
		a->start = BPF_CORE_READ(task, start_boottime);
		a->css = css;
		a->moves = moves;
		a->told.number = number;
		a->told.as_of = scan;
	}
	return number;
}

/* untell takes back that the set which was told to the scan last has been: when
 * the scan runs out of room all that was written about a task is dropped, and
 * the task comes again (bpf_seq_read). */
static __always_inline void untell(void)
{
	u32 where = IN_SCAN;
	struct set_room *room = bpf_map_lookup_elem(&set_rooms, &where);

	if (!room)
		return;
	u32 slot = anchor_slot((u64)room->css);
	struct known *k = bpf_map_lookup_elem(&sets, &room->set);
	struct anchor *a = bpf_map_lookup_elem(&anchors, &slot);

	if (k)
		k->scan.as_of = 0;
	if (a)
		a->told.as_of = 0;
}

/* living returns a thread of the process that has not begun to exit: a leader
 * that has is no longer moved with the others (cgroup_migrate_add_task). */
static __always_inline struct task_struct *living(struct task_struct *leader, struct signal_struct *signal)
{
	struct list_head *head = (void *)signal + bpf_core_field_offset(struct signal_struct, thread_head);
	struct list_head *node = BPF_CORE_READ(head, next);

	for (int i = 0; i < MAX_THREADS && node && node != head; i++) {
		struct task_struct *t = (void *)node - bpf_core_field_offset(struct task_struct, thread_node);

		if (!(BPF_CORE_READ(t, flags) & PF_EXITING))
			return t;
		node = BPF_CORE_READ(node, next);
	}
	return leader;
}

/* A creator's set, as it was told for a child of it. */
struct creator {
	u64 start;
	u64 css;
	u64 moves;
	struct told told;
	u32 tgid;
	u32 unused;
};

struct {
	__uint(type, MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CREATORS);
	__type(key, u32);
	__type(value, struct creator);
} creators SEC(".maps");

/* set_of_child is set_of for a child at its fork. While no process is moved by
 * a move that is told, a process stays in its set, though not always in its
 * css_set (cgroup_update_dfl_csses): so what was found for an earlier child of
 * the same process holds for this one, if both that process and its child have
 * the css_set that they had then. A css_set alone would not do, for another one
 * may take its place in memory. */
static __always_inline u64 set_of_child(struct task_struct *creator, struct task_struct *leader, u64 start, struct task_struct *child)
{
	u32 slot = creator->tgid & (CREATORS - 1);
	struct creator *c = bpf_map_lookup_elem(&creators, &slot);
	u64 css = (u64)BPF_CORE_READ(child, cgroups);
	u64 moves = shared.moves, epoch = shared.epoch;

	bool shared_css = c && css == (u64)BPF_CORE_READ(leader, cgroups) && css == (u64)BPF_CORE_READ(creator, cgroups);

	if (shared_css && c->css == css && c->moves == moves && c->told.as_of == epoch &&
	    c->start == start && c->tgid == (u32)creator->tgid)
		return c->told.number;
	u64 number = set_of(child, IN_FORK);

	if (number && shared_css && css == (u64)BPF_CORE_READ(leader, cgroups) &&
	    css == (u64)BPF_CORE_READ(child, cgroups)) {
		c->start = start;
		c->tgid = creator->tgid;
		c->css = css;
		c->moves = moves;
		c->told.number = number;
		c->told.as_of = epoch;
	}
	return number;
}

#endif
