/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */

/* identity.h is who a task is, and who stands beside it. */

#ifndef LINEAGE_IDENTITY_H
#define LINEAGE_IDENTITY_H

#include "ring.h"

enum {
	MAX_ANCESTORS = 64, /* that are asked whether they adopt */
	MAX_THREADS = 64,    /* of which the usage is added up */
};

/* has_group_dead says that sched_process_exit tells whether the thread is the
 * last one of its process. So it does from 6.16 on, and comes before exit_mm. */
const volatile bool has_group_dead = false;

/* number returns what a pid is called at a level. */
static __always_inline struct upid number(struct pid *pid, u64 level)
{
	struct upid u = {};
	u64 offset = level * bpf_core_type_size(struct upid);

	offset &= 1023; /* Linux 6.1 wants it bounded; MAX_PID_NS_LEVEL is 32 */
	void *at = (void *)pid + bpf_core_field_offset(struct pid, numbers) + offset;

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

/* group_nr is nr for a pid that the verifier knows as one, which is read
 * without a call of a helper. */
static __always_inline u32 group_nr(struct pid *pid)
{
	if (shared.level || !pid)
		return nr(pid);
	return pid->numbers[0].nr;
}

/* fill_id says who a process is, by the TGID and the start of its leader and by
 * the process's pid. It returns false where it is not in our PID namespace. The
 * inode, of its pidfds, is zero before 6.9.
 *
 * What a program is given the verifier trusts. For each pointer that is read
 * from there, and for no other, it looks through the names of all types of the
 * kernel (btf_nested_type_is_trusted), which takes longer than all else it does.
 * So what a program needs is reached by way of few of them, as the signal_struct
 * has the pid of the leader too. */
static __always_inline bool fill_id(struct id *id, u32 tgid, u64 start, struct pid *pid)
{
	id->pid = shared.level ? nr(pid) : tgid;
	if (!id->pid)
		return false;
	id->start = start;
	if (bpf_core_field_exists(struct pid, ino) && pid)
		id->inode = pid->ino;
	return true;
}

/* fill_id_at is fill_id where the verifier does not know what it is given. */
static __always_inline bool fill_id_at(struct id *id, struct task_struct *leader)
{
	struct pid *pid = BPF_CORE_READ(leader, thread_pid);

	id->pid = shared.level ? nr(pid) : (u32)BPF_CORE_READ(leader, tgid);
	if (!id->pid)
		return false;
	id->start = BPF_CORE_READ(leader, start_boottime);
	if (bpf_core_field_exists(struct pid, ino))
		id->inode = BPF_CORE_READ(pid, ino);
	return true;
}

/* fill_inner tells the PIDs in the namespaces below ours. It returns how many
 * bytes that takes. */
static __always_inline u64 fill_inner(struct process *r, struct pid *pid)
{
	u64 first = shared.level + 1;
	u32 level = pid ? pid->level : 0;

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

/* has_ended says that the last thread is past where it is counted in do_exit,
 * right before sched_process_exit: the process has ended for all that is told,
 * though its children may not be adopted yet (exit_notify). */
static __always_inline bool has_ended(struct signal_struct *signal)
{
	return signal->live.counter == 0;
}

/* is_zombie says of a process that has ended that its last thread is past
 * exit_notify: a leader that has ended waits as a zombie for the other threads,
 * each of which goes away there (release_task). */
static __always_inline bool is_zombie(struct task_struct *leader, struct signal_struct *signal)
{
	return leader->exit_state && signal->nr_threads == 1;
}

struct adoption {
	struct task_struct *task; /* has ended */
	struct id adopter;
};

struct {
	__uint(type, MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct adoption);
} adoption SEC(".maps");

/* fill_subreaper says which subreaper is to adopt the children of the current
 * process, which has ended. It returns false where there is none; where one may be beyond reach,
 * who adopts stays not known. A subreaper at the same level has none of another
 * level below it: no child is of a namespace above its parent's (pidns_install).
 * The verifier looks at this function by itself, as at every one that is not
 * inline. */
__noinline int fill_subreaper(void)
{
	u32 zero = 0;
	struct adoption *a = bpf_map_lookup_elem(&adoption, &zero);

	if (!a)
		return true;
	struct task_struct *ended = a->task, *task = ended;

	for (int i = 0; i < MAX_ANCESTORS; i++) {
		struct task_struct *child = task;

		task = BPF_CORE_READ(task, real_parent);
		if (task == child)
			return false; /* init_task is its own parent */
		struct signal_struct *signal = BPF_CORE_READ(task, signal);

		if (is_subreaper(signal) && BPF_CORE_READ(signal, live.counter) > 0)
			break;
		if (i == MAX_ANCESTORS - 1)
			return true;
	}
	/* A thread's pid is at the level of its process's. */
	if (BPF_CORE_READ(task, thread_pid, level) != BPF_CORE_READ(ended, thread_pid, level))
		return false;
	fill_id_at(&a->adopter, BPF_CORE_READ(task, group_leader));
	return true;
}

/* fill_adopter says who adopts the children of a process that has ended, if it
 * comes to that now (find_new_reaper). */
static __always_inline void fill_adopter(struct id *adopter, struct task_struct *task, struct signal_struct *signal)
{
	u32 zero = 0;
	struct adoption *a = bpf_map_lookup_elem(&adoption, &zero);
	struct pid *pid = signal->pids[TYPE_TGID];

	adopter->pid = 0;
	if (!a || !pid)
		return;
	a->task = task;
	a->adopter.pid = 0;
	if (BPF_CORE_READ_BITFIELD_PROBED(signal, has_child_subreaper) && fill_subreaper()) {
		*adopter = a->adopter;
		return;
	}
	struct pid_namespace *ns = number(pid, pid->level).ns;

	fill_id_at(adopter, BPF_CORE_READ(ns, child_reaper, group_leader));
}

/* add_threads adds up what the threads of the current process have used. */
__noinline int add_threads(void)
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
	if (node != head)
		r->head.flags |= PART_OF_USAGE;
	return 0;
}

static __always_inline bool has_peak(void)
{
	return has_group_dead && bpf_core_field_exists(struct mm_struct, rss_stat[0].count);
}

/* peak returns the most pages that were resident (get_mm_hiwater_rss) of the
 * memory that the current process has, which is of the program that it ran last.
 * Signal->maxrss also has what the ones before it had, back to what it shared
 * with its creator (exec_mmap). */
static __always_inline u64 peak(struct task_struct *task, struct signal_struct *signal)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	if (!mm)
		return signal->maxrss;
	s64 most = BPF_CORE_READ(mm, hiwater_rss);
	s64 file = BPF_CORE_READ(mm, rss_stat[MM_FILEPAGES].count);
	s64 anon = BPF_CORE_READ(mm, rss_stat[MM_ANONPAGES].count);
	s64 shmem = BPF_CORE_READ(mm, rss_stat[MM_SHMEMPAGES].count);
	s64 now = (file > 0 ? file : 0) + (anon > 0 ? anon : 0) + (shmem > 0 ? shmem : 0);

	return most > now ? most : now;
}

/* fill_usage says what the current process has used: what its threads that are
 * gone left behind (__exit_signal), and what those have that are there still,
 * as the leader is until it is waited for. Signal->ioac also has what its
 * children used (wait_task_zombie); inblock and oublock, in blocks of 512 bytes,
 * do not. */
static __always_inline void fill_usage(struct exited *r, struct task_struct *task, struct signal_struct *signal)
{
	bool io = bpf_core_field_exists(struct task_struct, ioac.read_bytes);

	r->head.flags = 0;
	r->utime = signal->utime;
	r->stime = signal->stime;
	r->runtime = signal->sum_sched_runtime;
	r->maxrss = has_peak() ? peak(task, signal) : signal->maxrss;
	r->read = (u64)signal->inblock << 9;
	r->written = (u64)signal->oublock << 9;
	if (signal->nr_threads != 1) {
		add_threads();
		return;
	}
	r->utime += task->utime;
	r->stime += task->stime;
	r->runtime += task->se.sum_exec_runtime;
	r->read += io ? task->ioac.read_bytes : 0;
	r->written += io ? task->ioac.write_bytes : 0;
}

#endif
