/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */

/* records.h is what the programs tell, in the byte order of the machine. The
 * reader is ../record.go. */

#ifndef LINEAGE_RECORDS_H
#define LINEAGE_RECORDS_H

#include "kernel.h"

enum kind {
	FORK = 1,
	EXEC,
	EXITED,
	MOVED,
	SEEN,
	LINE,	/* one line of a membership that later records name */
	RENAMED, /* what was told of memberships may have other names now */
	SELF,	/* who reads, from the iterator alone */
};

enum flag {
	KERNEL = 1 << 0,    /* a thread of the kernel */
	ZOMBIE = 1 << 1,    /* it has ended, and has left its children */
	SUBREAPER = 1 << 2, /* it adopts */
	NO_PARENT = 1 << 3, /* none in this PID namespace */
	BY_THREAD = 1 << 4, /* exec by a thread that did not lead */
	EXITING = 1 << 5,   /* it has ended, and has its children still */
	PART_OF_USAGE = 1 << 6, /* what some of its threads used is not in it */
};

enum {
	MAX_INNER = 32,	     /* MAX_PID_NS_LEVEL */
	MAX_HIERARCHIES = 16,
	MAX_PATH = 2048,     /* of a cgroup */
	MAX_FILE = 4096,     /* PATH_MAX */
	MAX_ARGS = 4096,     /* bytes of argv that are told */
	NAME_SIZE = 256,     /* NAME_MAX and the NUL */
};

struct head {
	u32 kind;
	u32 flags;
	u64 time;
};

/* A process. One that is not known, or in no namespace of ours, has PID 0. */
struct id {
	u64 start;
	u64 inode;
	u32 pid;
	u32 unused;
};

struct owner {
	u32 uid, euid, gid, egid;
};

struct session {
	u32 group, session, tty;
};

/* FORK and SEEN */
struct process {
	struct head head;
	struct id id, parent, creator;
	u64 set;
	struct owner owner;
	struct session session;
	u32 inners; /* how many of inner there are */
	char comm[16];
	u32 inner[MAX_INNER]; /* its PIDs in the namespaces below ours */
};

struct exec {
	struct head head;
	struct id id;
	u64 set;
	struct owner owner;
	char comm[16];
	u32 argc;
	u32 file; /* bytes of the path in data, without a NUL */
	u32 args; /* bytes of argv that follow */
	u32 all;  /* bytes of argv in the process */
	struct session session;
	u32 unused;
	char data[MAX_FILE + MAX_ARGS];
};

struct exited {
	struct head head;
	struct id id, adopter;
	u32 status;
	u32 unused;
	u64 utime, stime, runtime; /* ns */
	u64 maxrss;		   /* pages */
	u64 read, written;	   /* bytes */
};

struct moved {
	struct head head;
	struct id id;
	u64 set;
};

/* The path is that of the names from the cgroup up to below the root, each
 * with its NUL. */
struct line {
	struct head head;
	u64 set;
	u64 cgroup;
	u32 lines, line; /* this one of so many */
	s32 hierarchy;
	u32 size;
	char path[MAX_PATH];
};

struct self {
	struct head head;
	u64 set; /* the roots of our cgroup namespace */
	s64 boottime_sec, boottime_nsec; /* of our time namespace */
	u32 level;
	u32 unused;
};

/* What the programs and the reader share; the reader has it mapped. */
struct shared {
	u64 dropped; /* records so far that had no room */
	u64 told;    /* written by the reader: losses that it has told */
	u64 woken;   /* cleared by the reader: it was woken and has not drained */
	u64 fill;    /* written by the reader: bytes unread at which to wake it */
	u64 scan;    /* written by the reader: the number of the scan under way */
	u64 epoch;   /* changed, by either, when sets are to be told again */
	u64 self;    /* cleared by the reader: to be told who it is */
	u64 moves;   /* how often any process was moved */
	u64 ns;	     /* our struct pid_namespace */
	u64 level;   /* and its level */
	u64 peaks;   /* whether maxrss is of the program that was run last alone */
};

struct drop {
	u64 told;	 /* shared.told when first was set */
	u64 first, last; /* times */
};

#endif
