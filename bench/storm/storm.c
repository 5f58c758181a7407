/*
 * storm CPU COUNT MARK [PROGRAM]: COUNT processes one after another, each of
 * which ends before the next is made, and with PROGRAM runs that. It uses no
 * other processor than CPU. After each MARK of them, unless that is zero, it
 * writes two numbers: the nanoseconds and the processor time that they took.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t nanoseconds(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

static int64_t used(int who)
{
	struct rusage r;
	getrusage(who, &r);
	return nanoseconds(r.ru_utime) + nanoseconds(r.ru_stime);
}

static void look(int64_t at[2])
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	at[0] = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	at[1] = used(RUSAGE_SELF) + used(RUSAGE_CHILDREN);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[1]), &cpus);
	if (sched_setaffinity(0, sizeof cpus, &cpus))
		return 3;
	const long mark = atol(argv[3]);
	int64_t last[2], now[2];
	look(last);
	char *const args[] = {argv[4], NULL}, *const env[] = {NULL};
	for (long left = atol(argv[2]), n = 1; left > 0; left--, n++) {
		const pid_t pid = fork();
		if (pid == 0) {
			if (args[0])
				execve(args[0], args, env);
			_exit(args[0] != NULL);
		}
		int status;
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			return 1;
		if (mark && n % mark == 0) {
			look(now);
			const int64_t took[2] = {now[0] - last[0], now[1] - last[1]};
			if (write(1, took, sizeof took) != sizeof took)
				return 4;
			last[0] = now[0];
			last[1] = now[1];
		}
	}
	return 0;
}
