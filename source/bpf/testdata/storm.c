/* storm makes children as fast as it can and writes what became of each.
 *
 *	storm WORKERS CHILDREN KEEP exec|fork >LOG
 *
 * Each of the workers, its children, makes CHILDREN of them, of which at most
 * KEEP are there at a time. Each child ends at once, with "exec" as another
 * program, by the status that its number says, or for some by a signal. */

#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct entry {
	uint64_t before, after; /* the fork and the wait, on the boot clock */
	uint32_t parent, pid, status, number;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void end(int number)
{
	if (number % 64 == 63)
		kill(getpid(), SIGKILL);
	_exit(number % 256);
}

static pid_t child(int number, int exec)
{
	char text[16];
	pid_t pid;

	snprintf(text, sizeof(text), "%d", number);
	pid = exec ? vfork() : fork();
	if (pid != 0)
		return pid;
	if (exec) {
		execl("/proc/self/exe", "child", text, (char *)NULL);
		_exit(255);
	}
	end(number);
	return 0;
}

static void reap(struct entry *entries, int made)
{
	int status;
	pid_t pid = wait4(-1, &status, 0, NULL);

	for (int i = made - 1; i >= 0; i--) {
		if (entries[i].pid == (uint32_t)pid && !entries[i].after) {
			entries[i].after = now();
			entries[i].status = status;
			return;
		}
	}
	abort();
}

static void work(int children, int keep, int exec)
{
	struct entry *entries = calloc(children, sizeof(*entries));
	int there = 0;

	for (int i = 0; i < children; i++) {
		if (there == keep) {
			reap(entries, i);
			there--;
		}
		entries[i].number = i;
		entries[i].parent = getpid();
		entries[i].before = now();
		pid_t pid = child(i, exec);

		if (pid < 0)
			abort();
		entries[i].pid = pid;
		there++;
	}
	while (there--)
		reap(entries, children);
	fwrite(entries, sizeof(*entries), children, stdout);
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc == 2)
		end(atoi(argv[1]));
	if (argc != 5)
		return 2;
	for (int i = 0; i < atoi(argv[1]); i++)
		if (fork() == 0)
			work(atoi(argv[2]), atoi(argv[3]), !strcmp(argv[4], "exec"));
	for (int status; wait(&status) > 0;)
		if (status)
			return 1;
	return 0;
}
