/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */

/* identity.h is who a task is, and who stands beside it. */

#ifndef LINEAGE_IDENTITY_H
#define LINEAGE_IDENTITY_H

#include "ring.h"

enum {
	MAX_ANCESTORS = 128, /* that are asked whether they adopt */
	MAX_THREADS = 64,    /* of which the usage is added up */
};

/* number returns what a pid is called at a level. */
static __always_inline struct upid number(struct pid *pid, u64 level)
{
	struct upid u = {};
	void *at = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
		   level * bpf_core_type_size(struct upid);

	bpf_core_read(&u.nr, sizeof(u.nr), &((struct upid *)at)->nr);
	bpf_core_read(&u.ns, sizeof(u.ns), &((struct upid *)at)->ns);
	return u;
}

/* nr is pid_nr_ns for our PID namespace. */
static __always_inline u32 nr(struct pid *pid)
{
	if (!pid || BPF_CORE_READ(pid, level) < shared.level)
		return 0;
	struct upid u = number(pid, shared.level);

	return (u64)u.ns == shared.ns ? u.nr : 0;
}

/* inode is the inode of a pidfd of the process, zero before 6.9. */
static __always_inline u64 inode(struct pid *pid)
{
	if (bpf_core_field_exists(struct pid, ino))
		return BPF_CORE_READ(pid, ino);
	return 0;
}

/* fill_id says who a process is, given its leader. It returns false where it
 * is not in our PID namespace. */
static __always_inline bool fill_id(struct id *id, struct task_struct *leader)
{
	struct pid *pid = BPF_CORE_READ(leader, thread_pid);

	id->pid = shared.level ? nr(pid) : BPF_CORE_READ(leader, tgid);
	if (!id->pid)
		return false;
	id->start = BPF_CORE_READ(leader, start_boottime);
	id->inode = inode(pid);
	return true;
}

/* fill_inner tells the PIDs in the namespaces below ours. It returns how many
 * bytes that takes. */
static __always_inline u64 fill_inner(struct process *r, struct task_struct *leader)
{
	struct pid *pid = leader->thread_pid;
	u64 first = shared.level + 1;
	u32 level = BPF_CORE_READ(pid, level);

	if (level < first)
		return 0;
	for (u32 i = 0; i < MAX_INNER && first + i <= level; i++)
		r->inner[i] = number(pid, first + i).nr;
	u64 n = level - first + 1;

	if (n > MAX_INNER)
		return 0;
	r->inners = n;
	return n * sizeof(r->inner[0]);
}

static __always_inline void fill_owner(struct owner *o, struct task_struct *task)
{
	const struct cred *cred = task->cred;

	o->uid = cred->uid.val;
	o->euid = cred->euid.val;
	o->gid = cred->gid.val;
	o->egid = cred->egid.val;
}

static __always_inline bool is_subreaper(struct signal_struct *signal)
{
	return BPF_CORE_READ_BITFIELD_PROBED(signal, is_child_subreaper);
}

struct {
	__uint(type, MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exited);
} exit_room SEC(".maps");

/* fill_adopter says who adopts the children of the current process, whose last
 * thread ends (find_new_reaper). It stays zero where that one is beyond reach.
 * The verifier looks at this function by itself, and at the next one. */
__noinline int fill_adopter(void)
{
	u32 zero = 0;
	struct exited *r = bpf_map_lookup_elem(&exit_room, &zero);
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	u32 level = BPF_CORE_READ(pid, level);

	if (!r)
		return 0;
	if (BPF_CORE_READ_BITFIELD_PROBED(signal, has_child_subreaper)) {
		int i;

		for (i = 0; i < MAX_ANCESTORS; i++) {
			task = BPF_CORE_READ(task, real_parent);
			pid = BPF_CORE_READ(task, thread_pid);
			if (BPF_CORE_READ(task, tgid) == 0 || BPF_CORE_READ(pid, level) != level)
				break;
			signal = BPF_CORE_READ(task, signal);
			if (is_subreaper(signal) && BPF_CORE_READ(signal, live.counter) > 0)
				return fill_id(&r->adopter, BPF_CORE_READ(task, group_leader));
		}
		if (i == MAX_ANCESTORS)
			return 0;
		task = (void *)bpf_get_current_task();
		pid = BPF_CORE_READ(task, thread_pid);
	}
	struct pid_namespace *ns = number(pid, level).ns;

	return fill_id(&r->adopter, BPF_CORE_READ(ns, child_reaper, group_leader));
}

/* fill_usage adds up what the current process has used: what its threads that
 * are gone left behind (__exit_signal), and what those have that are there
 * still, as the leader is until it is waited for. */
__noinline int fill_usage(void)
{
	u32 zero = 0;
	struct exited *r = bpf_map_lookup_elem(&exit_room, &zero);
	struct task_struct *task = (void *)bpf_get_current_task();
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct list_head *head = (void *)signal + bpf_core_field_offset(struct signal_struct, thread_head);
	struct list_head *node = BPF_CORE_READ(head, next);
	bool io = bpf_core_field_exists(struct task_struct, ioac.read_bytes);

	if (!r)
		return 0;
	r->utime = BPF_CORE_READ(signal, utime);
	r->stime = BPF_CORE_READ(signal, stime);
	r->runtime = BPF_CORE_READ(signal, sum_sched_runtime);
	r->maxrss = BPF_CORE_READ(signal, maxrss);
	r->read = io ? BPF_CORE_READ(signal, ioac.read_bytes) : 0;
	r->written = io ? BPF_CORE_READ(signal, ioac.write_bytes) : 0;
	for (int i = 0; i < MAX_THREADS && node && node != head; i++) {
		task = (void *)node - bpf_core_field_offset(struct task_struct, thread_node);
		r->utime += BPF_CORE_READ(task, utime);
		r->stime += BPF_CORE_READ(task, stime);
		r->runtime += BPF_CORE_READ(task, se.sum_exec_runtime);
		if (io) {
			r->read += BPF_CORE_READ(task, ioac.read_bytes);
			r->written += BPF_CORE_READ(task, ioac.write_bytes);
		}
		node = BPF_CORE_READ(node, next);
	}
	return 0;
}

#endif
