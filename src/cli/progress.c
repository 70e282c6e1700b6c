#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"

/* A log file wants a line now and then, not ten a second. */
#define PLAIN_INTERVAL_SECONDS 5.0

enum { LINE_MAX_COLUMNS = 160 };

void fm_cli_duration(char out[16], double seconds)
{
    if (seconds < 0 || seconds > 359999) {
        snprintf(out, 16, "-:--");
        return;
    }
    const int whole = (int)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(out, 16, "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(out, 16, "%d:%02d", whole / 60, whole % 60);
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col < LINE_MAX_COLUMNS ? size.ws_col : LINE_MAX_COLUMNS;
    return 80;
}

static void format_line(char *line, size_t size, const fm_progress *s)
{
    char elapsed[16], eta[16], share[64];
    fm_cli_duration(elapsed, s->elapsed);
    fm_cli_duration(eta, s->eta);
    if (s->total_frames > 0) {
        /* The total is an estimate from the header: never say more than 100 %. */
        double percent = 100.0 * (double)s->frames / (double)s->total_frames;
        snprintf(share, sizeof share, "%3.0f%%  %lld/%lld frames", percent < 100 ? percent : 100.0,
                 (long long)s->frames, (long long)s->total_frames);
    } else {
        snprintf(share, sizeof share, "%lld frames", (long long)s->frames);
    }
    snprintf(line, size, "%s  %.1f fps  elapsed %s  ETA %s  %s", share, s->fps, elapsed, eta,
             fm_path_name(s->input));
}

void fm_cli_progress_init(fm_cli_progress *p, bool quiet)
{
    *p = (fm_cli_progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO) != 0};
}

void fm_cli_progress_update(void *progress, const fm_progress *state)
{
    fm_cli_progress *p = progress;
    if (p->quiet)
        return;
    char line[FM_PATH_MAX + 256];
    if (p->terminal) {
        format_line(line, sizeof line, state);
        fprintf(stderr, "\r%.*s\033[K", terminal_columns() - 1, line);
        fflush(stderr);
        p->shown = true;
    } else if (state->elapsed - p->last_line >= PLAIN_INTERVAL_SECONDS) {
        format_line(line, sizeof line, state);
        fprintf(stderr, "%s\n", line);
        p->last_line = state->elapsed;
    }
}

void fm_cli_progress_clear(fm_cli_progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = false;
    p->last_line = 0;
}
