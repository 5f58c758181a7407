// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only

// The programs tell of each process that it was made, runs another program, is
// in another cgroup or has ended, in one ring buffer and so in one order, and
// of all processes there are through a task iterator.

#include "kernel.h"
#include "records.h"
#include "ring.h"
#include "identity.h"
#include "cgroup.h"

char licence[] SEC("license") = "Dual BSD/GPL";

static __always_inline void fill_session(struct session *s, struct signal_struct *signal)
{
	struct tty_struct *tty = signal->tty;

	s->group = group_nr(signal->pids[TYPE_PGID]);
	s->session = group_nr(signal->pids[TYPE_SID]);
	s->tty = 0;
	if (tty) {
		// new_encode_dev(tty_devnum(tty))
		u32 major = tty->driver->major;
		u32 minor = tty->driver->minor_start + tty->index;

		s->tty = (minor & 0xff) | (major << 8) | ((minor & ~0xffU) << 12);
	}
}

static __always_inline void fill_facts(struct process *r, struct task_struct *leader, struct signal_struct *signal)
{
	if (leader->flags & PF_KTHREAD)
		r->head.flags |= KERNEL;
	fill_owner(&r->owner, leader);
	fill_session(&r->session, signal);
	bpf_core_read(&r->comm, sizeof(r->comm), &leader->comm);
}

// kernel_clone
SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *creator, struct task_struct *child)
{
	u32 zero = 0;
	struct process *r = bpf_map_lookup_elem(&fork_room, &zero);

	if (!r || child->pid != child->tgid)
		return 0;
	struct signal_struct *signal = child->signal;
	struct pid *pid = signal->pids[TYPE_TGID];

	__builtin_memset(r, 0, sizeof(*r));
	r->head.kind = FORK;
	r->head.time = bpf_ktime_get_boot_ns();
	if (!fill_id(&r->id, child->tgid, child->start_boottime, pid))
		return 0;
	struct task_struct *leader = BPF_CORE_READ(creator, group_leader);
	struct task_struct *parent = BPF_CORE_READ(child, real_parent);
	u64 start = BPF_CORE_READ(leader, start_boottime);

	fill_id(&r->creator, creator->tgid, start, creator->signal->pids[TYPE_TGID]);
	if (parent == creator)
		r->parent = r->creator;
	else
		fill_id_at(&r->parent, BPF_CORE_READ(parent, group_leader));
	if (!r->parent.pid)
		r->head.flags |= NO_PARENT;
	fill_facts(r, child, signal);
	r->set = set_of_child(creator, leader, start, child);
	u64 size = sizeof(*r) - sizeof(r->inner) + fill_inner(r, pid);

	if (size <= sizeof(*r))
		put(r, size, r->head.time);
	return 0;
}

// exec_binprm. By now the thread leads its process (de_thread).
SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task, int tid, struct linux_binprm *bprm)
{
	u32 zero = 0;
	struct exec *r = bpf_map_lookup_elem(&exec_room, &zero);

	if (!r)
		return 0;
	r->head.kind = EXEC;
	r->head.flags = 0;
	r->head.time = bpf_ktime_get_boot_ns();
	r->set = 0;
	struct signal_struct *signal = task->signal;

	if (!fill_id(&r->id, task->tgid, task->start_boottime, signal->pids[TYPE_TGID]))
		return 0;
	if (tid != task->pid) {
		r->head.flags = BY_THREAD;
		r->set = set_of(task, IN_EXEC);
	}
	fill_owner(&r->owner, task);
	fill_session(&r->session, signal);
	bpf_core_read(&r->comm, sizeof(r->comm), &task->comm);
	r->argc = bprm->argc;

	long n = bpf_probe_read_kernel_str(r->data, MAX_FILE, bprm->filename);
	u64 file = n > 0 ? n - 1 : 0;

	if (file >= MAX_FILE)
		return 0;
	r->file = file;

	unsigned long start = task->mm->arg_start;
	u64 all = task->mm->arg_end - start;
	u64 args = all < MAX_ARGS ? all : MAX_ARGS;

	r->all = all;
	if (bpf_probe_read_user(r->data + file, args, (void *)start))
		args = 0;
	r->args = args;
	u64 size = __builtin_offsetof(struct exec, data) + file + args;

	if (size <= sizeof(*r))
		put(r, size, r->head.time);
	return 0;
}

// do_exit, for each thread.
SEC("tp_btf/sched_process_exit")
int exited(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct signal_struct *signal = task->signal;
	u64 start = task->start_boottime;
	u32 code = task->exit_code;
	u32 zero = 0;
	struct exited *r = bpf_map_lookup_elem(&exit_room, &zero);

	if (has_group_dead) {
		if (!(ctx[1] & 1))
			return 0;
	} else if (!has_ended(signal)) {
		return 0;
	}
	if (task->pid != task->tgid) {
		struct task_struct *leader = BPF_CORE_READ(task, group_leader);

		start = BPF_CORE_READ(leader, start_boottime);
		code = BPF_CORE_READ(leader, exit_code);
	}
	if (!r || !fill_id(&r->id, task->tgid, start, signal->pids[TYPE_TGID]))
		return 0;
	r->head.kind = EXITED;
	r->head.time = bpf_ktime_get_boot_ns();
	fill_adopter(&r->adopter, task, signal);
	fill_usage(r, task, signal);
	// wait_task_zombie
	r->status = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : code;
	put(r, sizeof(*r), r->head.time);
	return 0;
}

static __always_inline void tell_move(struct task_struct *task)
{
	struct moved r = {.head = {.kind = MOVED, .time = bpf_ktime_get_boot_ns()}};

	__sync_fetch_and_add(&shared.moves, 1);
	if (task->pid != task->tgid)
		return;
	struct signal_struct *signal = task->signal;

	if (!fill_id(&r.id, task->tgid, task->start_boottime, signal->pids[TYPE_TGID]))
		return;
	r.set = set_of(task->flags & PF_EXITING ? living(task, signal) : task, IN_MOVE);
	put(&r, sizeof(r), r.head.time);
}

// cgroup_attach_task, for the leader where all threads were moved.
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(attached, struct cgroup *to, const char *path, struct task_struct *task)
{
	tell_move(task);
	return 0;
}

// cgroup_transfer_tasks: out of a cpuset that has no CPU left.
SEC("tp_btf/cgroup_transfer_tasks")
int BPF_PROG(transferred, struct cgroup *to, const char *path, struct task_struct *task)
{
	tell_move(task);
	return 0;
}

static __always_inline int tell_renamed(void)
{
	struct head r = {.kind = RENAMED, .time = bpf_ktime_get_boot_ns()};

	__sync_fetch_and_add(&shared.moves, 1);
	__sync_fetch_and_add(&shared.epoch, 1);
	put(&r, sizeof(r), r.time);
	return 0;
}

SEC("tp_btf/cgroup_rename")
int BPF_PROG(renamed, struct cgroup *cgroup)
{
	return tell_renamed();
}

SEC("tp_btf/cgroup_setup_root")
int BPF_PROG(mounted, struct cgroup_root *root)
{
	return tell_renamed();
}

SEC("tp_btf/cgroup_destroy_root")
int BPF_PROG(unmounted, struct cgroup_root *root)
{
	return tell_renamed();
}

SEC("tp_btf/cgroup_remount")
int BPF_PROG(remounted, struct cgroup_root *root)
{
	return tell_renamed();
}

SEC("iter/task")
int seen(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct process r = {.head = {.kind = SEEN}};

	if (!task || task->pid != task->tgid)
		return 0;
	struct signal_struct *signal = task->signal;
	struct pid *pid = signal->pids[TYPE_TGID];

	if (!fill_id(&r.id, task->tgid, task->start_boottime, pid))
		return 0;
	struct task_struct *parent = task->real_parent->group_leader;

	if (!fill_id(&r.parent, parent->tgid, parent->start_boottime, parent->signal->pids[TYPE_TGID]))
		r.head.flags |= NO_PARENT;
	fill_facts(&r, task, signal);
	if (is_subreaper(signal))
		r.head.flags |= SUBREAPER;
	if (has_ended(signal))
		r.head.flags |= is_zombie(task, signal) ? ZOMBIE : EXITING;
	r.set = set_of_seen(task->flags & PF_EXITING ? living(task, signal) : task, seq);
	if (bpf_seq_write(seq, &r, sizeof(r) - sizeof(r.inner) + fill_inner(&r, pid)))
		untell();
	return 0;
}

// self tells once who reads: an iterator runs in the reader's thread.
SEC("iter/task")
int self(struct bpf_iter__task *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct self r = {.head = {.kind = SELF}};

	if (shared.self)
		return 0;
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);

	r.level = BPF_CORE_READ(pid, level);
	shared.level = r.level;
	shared.ns = (u64)number(pid, r.level).ns;
	shared.peaks = has_peak();
	if (bpf_core_field_exists(struct nsproxy, time_ns)) {
		r.boottime_sec = BPF_CORE_READ(task, nsproxy, time_ns, offsets.boottime.tv_sec);
		r.boottime_nsec = BPF_CORE_READ(task, nsproxy, time_ns, offsets.boottime.tv_nsec);
	}
	struct css_set *roots = BPF_CORE_READ(task, nsproxy, cgroup_ns, root_cset);

	r.set = set_in_scan(0, roots, ctx->meta->seq);
	if (bpf_seq_write(ctx->meta->seq, &r, sizeof(r)) == 0)
		shared.self = 1;
	return 0;
}
