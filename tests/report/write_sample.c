/* write_sample FILE: a profile with every kind of figure, as a run writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "advice/advice.h"
#include "document.h"
#include "sample_system.h"

int main(int argc, char **argv)
{
    FILE *out = argc == 2 ? fopen(argv[1], "w") : NULL;
    if (!out)
        return 2;
    fmp_snapshot *snapshot = sample_recorded();
    fmp_system_report *system = sample_system();
    fm_report_run run = sample_run();
    run.system = system;
    fm_error err = {0};
    fm_advice *advice;
    fm_status status = fm_advise(snapshot, &run, NULL, &advice, &err);
    if (status == FM_OK) {
        run.findings = fm_advice_findings(advice);
        status = fm_report_json(out, snapshot, &run, &err);
        fm_advice_free(&advice);
    }
    fmp_system_report_free(&system);
    fmp_snapshot_free(&snapshot);
    return fclose(out) == 0 && status == FM_OK ? 0 : 1;
}
