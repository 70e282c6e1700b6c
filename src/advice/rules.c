#include "advice/rules.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/*
 * Where the values come from: 56, 10, 30, 5, 75 %, partitions of 10 and 20, 1.1 times, 10 %, 3 times, 5 and 20 % are
 * the guide's; the others are ours, and docs/interpreting.md says why.
 */
const fm_threshold_spec fm_threshold_specs[FM_THRESHOLDS] = {
    [FM_RULE_MODEL_DOMINATES] = {"model-dominates", 56, "%", 0, 100,
        "a model takes more than this of all models' time"},
    [FM_RULE_FIRST_SHARE] = {"first-share", 20, "%", 0, 100,
        "an operation that takes more of the profiled time is looked at first"},
    [FM_RULE_MINOR_SHARE] = {"minor-share", 5, "%", 0, 100,
        "an operation that takes less of the profiled time is not worth work"},
    [FM_RULE_PREPROCESSING] = {"preprocessing", 10, "%", 0, 100, "pre-processing takes more of the profiled time"},
    [FM_RULE_DETECTION] = {"detection", 30, "%", 0, 100, "finding faces takes more of the profiled time"},
    [FM_RULE_MEMORY_OPERATIONS] = {"memory-operations", 5, "%", 0, 100,
        "copies and the like take more of the profiled time"},
    [FM_RULE_COVERAGE] = {"coverage", 75, "%", 0, 100, "the accelerator takes fewer of a model's operators"},
    [FM_RULE_PARTITIONS_MODERATE] = {"partitions-moderate", 10, "pieces", 1, 1e6,
        "an accelerator's share falls into so many or more"},
    [FM_RULE_PARTITIONS_HIGH] = {"partitions-high", 20, "pieces", 1, 1e6,
        "an accelerator's share falls into so many or more"},
    [FM_RULE_BOUNDARY_SHARE] = {"boundary-share", 10, "%", 0, 100,
        "hand-overs between devices take more of a model's run"},
    [FM_RULE_FIRST_CALL_RATIO] = {"first-call-ratio", 1.1, "times", 1, 1e6,
        "an operation's first call takes more than this of the median"},
    [FM_RULE_FIRST_CALL_SHARE] = {"first-call-share", 1, "%", 0, 100,
        "and what it takes longer is more of the wall time"},
    [FM_RULE_STAGE_BUSY] = {"stage-busy", 80, "%", 1, 100,
        "a stage that is at work more of the wall time limits the run"},
    [FM_RULE_STAGE_WAITS] = {"stage-waits", 50, "%", 1, 100, "a stage that waits more of the wall time is named"},
    [FM_RULE_PROCESSORS_BUSY] = {"processors-busy", 85, "%", 1, 100,
        "of the processor time that others leave; above it the processors limit the run"},
    [FM_RULE_OVERSUBSCRIBED] = {"oversubscribed", 150, "%", 1, 1e6,
        "stages at work on average, over the processor threads"},
    [FM_RULE_UNEXPLAINED] = {"unexplained", 10, "%", 0, 100, "more of the wall time has no scope open"},
    [FM_RULE_SPREAD_RATIO] = {"spread-ratio", 3, "times", 1, 1e6,
        "an operation's p99 is more than this of its median"},
    [FM_RULE_DETECTOR_RATE] = {"detector-rate", 50, "%", 0, 100,
        "the detector looks at more of the frames though a face is followed"},
    [FM_RULE_LOOKS] = {"looks", 1.5, "a frame", 0, 1e6, "the landmark model runs more often than this"},
    [FM_RULE_CROPPED_AGAIN] = {"cropped-again", 5, "%", 0, 100,
        "of more frames the face is cut out twice for the landmark model"},
    [FM_RULE_PICTURES_COPIED] = {"pictures-copied", 2.5, "a frame", 0, 1e6,
        "more whole pictures are copied unchanged (two are by design: both kept halves, and the debug video's)"},
    [FM_RULE_ALLOCATIONS] = {"allocations", 0, "a frame", 0, 1e9, "more picture buffers are allocated after warm-up"},
    [FM_RULE_MEMORY_GROWTH] = {"memory-growth", 4, "KiB a frame", 0, 1e9, "the resident size grows by more"},
    [FM_RULE_MEMORY_GROWN] = {"memory-grown", 16, "MiB", 0, 1e9, "and has grown by more in all"},
    [FM_RULE_GAIN_HIGH] = {"gain-high", 20, "%", 0, 100, "of the wall time: from here on a gain is HIGH"},
    [FM_RULE_GAIN_MEDIUM] = {"gain-medium", 5, "%", 0, 100, "of the wall time: from here on a gain is MEDIUM"},
    [FM_RULE_TINY_FRAMES] = {"tiny-frames", 60, "frames", 0, 1e9, "a shorter run is warm-up: it gives no HIGH"},
    [FM_RULE_OTHERS_BUSY] = {"others-busy", 20, "%", 0, 100, "other programs took more of the processors' time"},
    [FM_RULE_STOLEN] = {"stolen", 5, "%", 0, 100, "the hypervisor gave more of the processors' time to others"},
    [FM_RULE_LOAD] = {"load", 1, "a processor", 0, 1e6, "more processes ran or waited before the run began"},
    [FM_RULE_RUN_QUEUE] = {"run-queue", 20, "%", 0, 1e6,
        "of the threads' CPU time; they waited longer than this for a processor"},
    [FM_RULE_LOCK_WAIT] = {"lock-wait", 20, "%", 0, 1e6,
        "of the wall time; an operation waits longer for other threads"},
    [FM_RULE_SLEEP_WAIT] = {"sleep-wait", 5, "%", 0, 1e6, "of the wall time; an operation sleeps longer"},
    [FM_RULE_IO_WAIT] = {"io-wait", 10, "%", 0, 1e6, "of the wall time; an operation waits longer for files"},
    [FM_RULE_HOT_FUNCTION] = {"hot-function", 20, "%", 0, 100, "a function takes more of the sampled CPU time"},
    [FM_RULE_SYSCALL_RATE] = {"syscall-rate", 100, "a frame", 0, 1e9, "an operation makes one system call more often"},
    [FM_RULE_KEPT_BLOCKS] = {"kept-blocks", 0.9, "a frame", 0, 1e9,
        "more blocks of one call stack, taken in the second half of the run for half of the frames, are not "
        "given back"},
    [FM_RULE_ALLOCATION_RATE] = {"allocation-rate", 1000, "a frame", 0, 1e9, "an operation allocates more often"},
    [FM_RULE_MAJOR_FAULTS] = {"major-faults", 100, "faults", 0, 1e12, "more pages had to be read from the disk"},
};

fm_advice_rules fm_advice_rules_default(void)
{
    fm_advice_rules rules;
    for (int i = 0; i < FM_THRESHOLDS; i++)
        rules.value[i] = fm_threshold_specs[i].value;
    return rules;
}

enum { FILE_MAX = 1 << 16, LINE_MAX_BYTES = 256 };

static fm_threshold find(const char *name)
{
    int i = 0;
    while (i < FM_THRESHOLDS && strcmp(fm_threshold_specs[i].name, name) != 0)
        i++;
    return (fm_threshold)i;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Without the blanks around it. */
static char *trimmed(char *text)
{
    while (blank(*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && blank(text[length - 1]))
        text[--length] = '\0';
    return text;
}

/* A whole decimal number with a point, whatever the locale; NAN for anything else. */
static double number(const char *text)
{
    double value = 0, scale = 1;
    bool digits = false, fraction = false;
    for (const char *p = text; *p; p++) {
        if (*p == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (*p < '0' || *p > '9' || p - text > 20)
            return (double)NAN;
        digits = true;
        value = value * 10 + (*p - '0');
        scale *= fraction ? 10 : 1;
    }
    return digits ? value / scale : (double)NAN;
}

static fm_status take_line(char *line, int at, const char *file, fm_advice_rules *rules, bool *seen, fm_error *err)
{
    line[strcspn(line, "#")] = '\0';
    char *name = trimmed(line);
    if (!*name)
        return FM_OK;
    char *equals = strchr(name, '=');
    if (!equals)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s', line %d: write 'name = value'", file, at);
    *equals = '\0';
    name = trimmed(name);
    const char *text = trimmed(equals + 1);
    const fm_threshold t = find(name);
    if (t == FM_THRESHOLDS)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s', line %d: '%.60s' is no threshold; docs/interpreting.md lists them",
                       file, at, name);
    if (seen[t])
        return fm_fail(err, FM_E_BAD_INPUT, "'%s', line %d: '%s' stands there twice", file, at, name);
    const fm_threshold_spec *spec = &fm_threshold_specs[t];
    const double value = number(text);
    if (!(value >= spec->least && value <= spec->most))
        return fm_fail(err, FM_E_BAD_INPUT, "'%s', line %d: '%s' takes a number from %g to %g (%s), not '%.40s'", file,
                       at, name, spec->least, spec->most, spec->unit, text);
    seen[t] = true;
    rules->value[t] = value;
    return FM_OK;
}

fm_status fm_advice_rules_parse(const char *text, size_t size, const char *name, fm_advice_rules *rules, fm_error *err)
{
    fm_advice_rules changed = *rules;
    bool seen[FM_THRESHOLDS] = {false};
    fm_status status = FM_OK;
    int at = 1;
    for (size_t i = 0; i < size && status == FM_OK; at++) {
        const char *end = memchr(text + i, '\n', size - i);
        const size_t length = (end ? (size_t)(end - text) : size) - i;
        char line[LINE_MAX_BYTES];
        if (length >= sizeof line || memchr(text + i, '\0', length))
            return fm_fail(err, FM_E_BAD_INPUT, "'%s', line %d: it is no line of text of at most %zu bytes", name, at,
                           sizeof line - 1);
        memcpy(line, text + i, length);
        line[length] = '\0';
        status = take_line(line, at, name, &changed, seen, err);
        i += length + 1;
    }
    if (status == FM_OK)
        *rules = changed;
    return status;
}

fm_status fm_advice_rules_load(const char *path, fm_advice_rules *rules, fm_error *err)
{
    uint8_t *data;
    size_t size;
    fm_status status = fm_file_read(path, FILE_MAX, &data, &size, err);
    if (status != FM_OK)
        return status;
    status = fm_advice_rules_parse((const char *)data, size, path, rules, err);
    free(data);
    return status;
}
