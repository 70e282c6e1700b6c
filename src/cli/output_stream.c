#include "cli/output_stream.h"

#include <errno.h>
#include <string.h>

static fm_status cannot_write(const fm_cli_output *output, fm_error *err)
{
    const int cause = errno ? errno : EIO;
    return fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT), "cannot write '%s': %s",
                   output->file.pending ? output->file.final_path : "standard output", strerror(cause));
}

fm_status fm_cli_output_open(fm_cli_output *output, const char *path, fm_error *err)
{
    memset(output, 0, sizeof *output);
    if (!path || strcmp(path, "-") == 0) {
        output->stream = stdout;
        return FM_OK;
    }
    const fm_status status = fm_outfile_open(&output->file, path, true, err);
    if (status != FM_OK)
        return status;
    output->stream = fopen(output->file.partial_path, "w");
    if (output->stream)
        return FM_OK;
    const fm_status failed = cannot_write(output, err);
    fm_outfile_discard(&output->file);
    return failed;
}

fm_status fm_cli_output_close(fm_cli_output *output, fm_status status, fm_error *err)
{
    errno = 0;
    const int ended = output->stream == stdout ? fflush(stdout) : fclose(output->stream);
    if (status == FM_OK && ended != 0)
        status = cannot_write(output, err);
    output->stream = NULL;
    if (!output->file.pending)
        return status;
    if (status == FM_OK)
        return fm_outfile_commit(&output->file, err);
    fm_outfile_discard(&output->file);
    return status;
}
