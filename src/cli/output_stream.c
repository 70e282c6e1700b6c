#include "cli/output_stream.h"

#include <errno.h>
#include <string.h>

fm_status fm_cli_stdout_failed(fm_error *err)
{
    const int cause = errno ? errno : EIO;
    return fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT), "cannot write to standard output: %s",
                   strerror(cause));
}

fm_status fm_cli_flush(fm_error *err)
{
    errno = 0;
    return fflush(stdout) == 0 && !ferror(stdout) ? FM_OK : fm_cli_stdout_failed(err);
}

fm_status fm_cli_output_open(fm_cli_output *output, const char *path, fm_error *err)
{
    memset(output, 0, sizeof *output);
    if (!path || strcmp(path, "-") == 0) {
        output->stream = stdout;
        return FM_OK;
    }
    const fm_status status = fm_outfile_open(&output->file, path, true, err);
    return status == FM_OK ? fm_outfile_stream(&output->file, &output->stream, err) : status;
}

fm_status fm_cli_output_close(fm_cli_output *output, fm_status status, fm_error *err)
{
    FILE *stream = output->stream;
    output->stream = NULL;
    if (output->file.pending)
        return fm_outfile_end(&output->file, stream, status, err);
    return status == FM_OK ? fm_cli_flush(err) : status;
}
