/*
 * storm CPU COUNT [PROGRAM]: COUNT processes one after another, each of which
 * ends before the next is made, and with PROGRAM runs that. It uses no other
 * processor than CPU.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[1]), &cpus);
	if (sched_setaffinity(0, sizeof cpus, &cpus))
		return 3;
	char *const args[] = {argv[3], NULL}, *const env[] = {NULL};
	for (long left = atol(argv[2]); left > 0; left--) {
		const pid_t pid = fork();
		if (pid == 0) {
			if (args[0])
				execve(args[0], args, env);
			_exit(args[0] != NULL);
		}
		int status;
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			return 1;
	}
	return 0;
}
