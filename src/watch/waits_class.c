#include "watch/waits_class.h"

#include <math.h>
#include <string.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "watch/proc_text.h"

typedef struct call_class {
    long number;
    fmp_thread_doing doing;
} call_class;

/* Calls that no processor family of ours has under that name are left out. */
static const call_class classes[] = {
#ifdef SYS_futex
    {SYS_futex, FMP_DOING_LOCK},
#endif
#ifdef SYS_futex_time64
    {SYS_futex_time64, FMP_DOING_LOCK},
#endif
#ifdef SYS_futex_waitv
    {SYS_futex_waitv, FMP_DOING_LOCK},
#endif
#ifdef SYS_nanosleep
    {SYS_nanosleep, FMP_DOING_SLEEP},
#endif
#ifdef SYS_clock_nanosleep
    {SYS_clock_nanosleep, FMP_DOING_SLEEP},
#endif
#ifdef SYS_clock_nanosleep_time64
    {SYS_clock_nanosleep_time64, FMP_DOING_SLEEP},
#endif
#ifdef SYS_poll
    {SYS_poll, FMP_DOING_POLL},
#endif
#ifdef SYS_ppoll
    {SYS_ppoll, FMP_DOING_POLL},
#endif
#ifdef SYS_select
    {SYS_select, FMP_DOING_POLL},
#endif
#ifdef SYS_pselect6
    {SYS_pselect6, FMP_DOING_POLL},
#endif
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, FMP_DOING_POLL},
#endif
#ifdef SYS_epoll_pwait
    {SYS_epoll_pwait, FMP_DOING_POLL},
#endif
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, FMP_DOING_POLL},
#endif
#ifdef SYS_read
    {SYS_read, FMP_DOING_IO},
    {SYS_write, FMP_DOING_IO},
    {SYS_pread64, FMP_DOING_IO},
    {SYS_pwrite64, FMP_DOING_IO},
    {SYS_readv, FMP_DOING_IO},
    {SYS_writev, FMP_DOING_IO},
    {SYS_preadv, FMP_DOING_IO},
    {SYS_pwritev, FMP_DOING_IO},
    {SYS_fsync, FMP_DOING_IO},
    {SYS_fdatasync, FMP_DOING_IO},
    {SYS_sendto, FMP_DOING_IO},
    {SYS_recvfrom, FMP_DOING_IO},
    {SYS_sendmsg, FMP_DOING_IO},
    {SYS_recvmsg, FMP_DOING_IO},
    {SYS_connect, FMP_DOING_IO},
    {SYS_accept4, FMP_DOING_IO},
    {SYS_splice, FMP_DOING_IO},
    {SYS_openat, FMP_DOING_IO},
    {SYS_close, FMP_DOING_IO},
#endif
#ifdef SYS_open
    {SYS_open, FMP_DOING_IO},
#endif
#ifdef SYS_accept
    {SYS_accept, FMP_DOING_IO},
#endif
#ifdef SYS_preadv2
    {SYS_preadv2, FMP_DOING_IO},
    {SYS_pwritev2, FMP_DOING_IO},
#endif
#ifdef SYS_sendfile
    {SYS_sendfile, FMP_DOING_IO},
#endif
#ifdef SYS_sync_file_range
    {SYS_sync_file_range, FMP_DOING_IO},
#endif
#ifdef SYS_copy_file_range
    {SYS_copy_file_range, FMP_DOING_IO},
#endif
#ifdef SYS_recvmmsg
    {SYS_recvmmsg, FMP_DOING_IO},
    {SYS_sendmmsg, FMP_DOING_IO},
#endif
#ifdef SYS_io_getevents
    {SYS_io_getevents, FMP_DOING_IO},
#endif
#ifdef SYS_io_uring_enter
    {SYS_io_uring_enter, FMP_DOING_IO},
#endif
    {-1, FMP_DOING_OTHER}};

fmp_thread_doing fmp_doing_of_syscall(const char *text)
{
    if (strncmp(text, "running", 7) == 0)
        return FMP_DOING_RUNNING;
    const double number = fmp_proc_number(&text);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if ((double)classes[i].number == number)
            return classes[i].doing;
    return FMP_DOING_UNKNOWN; /* "-1": blocked by a page fault, most likely */
}

/* Names of kernel functions, which differ between versions: what they have in common. */
static const struct {
    const char *part;
    fmp_thread_doing doing;
} places[] = {
    {"futex", FMP_DOING_LOCK},   {"nanosleep", FMP_DOING_SLEEP}, {"poll", FMP_DOING_POLL},
    {"select", FMP_DOING_POLL},  {"ep_", FMP_DOING_POLL},        {"pipe", FMP_DOING_IO},
    {"_read", FMP_DOING_IO},     {"_write", FMP_DOING_IO},       {"skb", FMP_DOING_IO},
    {"sk_", FMP_DOING_IO},       {"unix_stream", FMP_DOING_IO},  {"io_schedule", FMP_DOING_IO},
    {"folio", FMP_DOING_IO},     {"wait_on_page", FMP_DOING_IO}, {"inet_", FMP_DOING_IO},
};

fmp_thread_doing fmp_doing_of_state(char state, const char *wchan)
{
    if (state == 'R')
        return FMP_DOING_RUNNING;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strstr(wchan, places[i].part))
            return places[i].doing;
    return state == 'D' ? FMP_DOING_IO : FMP_DOING_OTHER;
}
