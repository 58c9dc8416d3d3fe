// The known writer: dirties PAGES pages of physical memory from FIRST on, one after the other, RATE a second, on CPU.
// The kernel does not use that memory (mem=), so nobody else dirties it.
// usage: writer FIRST_BYTE PAGES RATE CPU
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    off_t first = strtoull(argv[1], NULL, 0);
    long pages = atol(argv[2]), rate = atol(argv[3]), cpu = atol(argv[4]);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    int fd = open("/dev/mem", O_RDWR);
    volatile char *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, first);
    if (memory == MAP_FAILED) {
        perror("writer: /dev/mem");
        return 1;
    }
    printf("writer ready on cpu %ld\n", cpu);
    fflush(stdout);
    double start = now();
    for (long long done = 0;;) {
        long long due = (now() - start) * rate;
        // What could not be written in time is not made up for: the rate never exceeds RATE.
        if (due - done > rate / 10) {
            start += (double)(due - done - rate / 10) / rate;
            due = done + rate / 10;
        }
        for (; done < due; done++)
            memory[done % pages * 4096]++;
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}
