/* facemirror models list, verify, remove: the packs that are there. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/pack_graphs.h"
#include "models/pack_store.h"
#include "models/registry.h"
#include "report/json_writer.h"

static const char list_help[] =
    "Usage: facemirror models list [--json]\n"
    "\n"
    "The installed model packs and the default one, with their models and licences. A pack\n"
    "that cannot be used is listed with what is wrong; 'models verify' looks more closely.\n"
    "\n"
    "      --json   one JSON object\n";

static const char verify_help[] =
    "Usage: facemirror models verify [NAME|DIR] [--json]\n"
    "\n"
    "Compares the files of a pack, or of all packs, with the hashes in their manifests, then\n"
    "opens each model and checks its inputs and outputs. Exit code 8 when something is wrong.\n"
    "\n"
    "      --json   one JSON object\n";

static const char remove_help[] =
    "Usage: facemirror models remove NAME\n"
    "\n"
    "Removes an installed pack: the files that its manifest names, and the manifest.\n"
    "\n"
    "  -q, --quiet   say nothing on success\n";

/* What is wrong: of the manifest, and of each model its file, then its graph. */
enum { FINDINGS_MAX = FM_PACK_MODELS_MAX + 2 };

typedef struct finding {
    char model[32]; /* "" : the manifest */
    char message[FM_ERROR_MESSAGE_MAX];
} finding;

typedef struct seen_pack {
    char name[64];
    char dir[FM_PATH_MAX];
    bool is_default;
    fm_pack *pack; /* NULL: its manifest cannot be read */
    finding findings[FINDINGS_MAX];
    int finding_count;
} seen_pack;

typedef struct seen_packs {
    seen_pack *list;
    int count;
} seen_packs;

/* --- which packs there are -------------------------------------------------------------- */

static void note(seen_pack *seen, const char *model, const char *message)
{
    finding *f = &seen->findings[seen->finding_count++];
    snprintf(f->model, sizeof f->model, "%s", model);
    snprintf(f->message, sizeof f->message, "%s", message);
}

static void look(seen_pack *seen, const char *name, const char *dir)
{
    snprintf(seen->name, sizeof seen->name, "%s", name);
    snprintf(seen->dir, sizeof seen->dir, "%s", dir);
    fm_error err = {0};
    if (fm_pack_read(&seen->pack, dir, &err) != FM_OK)
        note(seen, "", err.message);
    else if (!*seen->name)
        snprintf(seen->name, sizeof seen->name, "%s", seen->pack->name);
}

static fm_status see_all(seen_packs *packs, fm_error *err)
{
    fm_registry_entry *entries;
    int count;
    fm_status status = fm_registry_list(&entries, &count, err);
    if (status != FM_OK)
        return status;
    packs->list = calloc((size_t)count + 1, sizeof *packs->list);
    if (!packs->list) {
        free(entries);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory listing model packs");
    }
    char dir[FM_PATH_MAX];
    bool found = !fm_default_pack_dir(dir);
    for (int i = 0; i < count; i++) {
        seen_pack *seen = &packs->list[packs->count++];
        look(seen, entries[i].name, entries[i].dir);
        seen->is_default = !found && strcmp(entries[i].dir, dir) == 0;
        found = found || seen->is_default;
    }
    free(entries);
    if (!found) {
        seen_pack *seen = &packs->list[packs->count++];
        look(seen, "", dir);
        seen->is_default = true;
    }
    return FM_OK;
}

/* The one pack that was named. A name that is none is an error; a manifest that is broken, a finding. */
static fm_status see_one(seen_packs *packs, const char *name_or_dir, fm_error *err)
{
    fm_pack *pack = NULL;
    char dir[FM_PATH_MAX];
    packs->list = calloc(1, sizeof *packs->list);
    if (!packs->list)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory listing model packs");
    if (strchr(name_or_dir, '/') || fm_has_manifest(name_or_dir)) {
        look(packs->list, "", name_or_dir);
    } else if (fm_registry_find(name_or_dir, dir)) {
        look(packs->list, name_or_dir, dir);
    } else {
        const fm_status status = fm_pack_find(&pack, name_or_dir, err);
        if (status != FM_OK)
            return status;
        look(packs->list, pack->name, pack->dir);
        fm_pack_free(&pack);
    }
    packs->count = 1;
    return FM_OK;
}

static void forget(seen_packs *packs)
{
    for (int i = 0; i < packs->count; i++)
        fm_pack_free(&packs->list[i].pack);
    free(packs->list);
}

/* --- what is wrong with them ------------------------------------------------------------- */

static void look_for_files(seen_pack *seen)
{
    for (int i = 0; seen->pack && i < seen->pack->model_count; i++) {
        const fm_pack_model *model = &seen->pack->models[i];
        struct stat st;
        char text[FM_ERROR_MESSAGE_MAX];
        if (stat(model->path, &st) == 0 && S_ISREG(st.st_mode))
            continue;
        snprintf(text, sizeof text, "its file '%s' is missing; add the pack again", model->file);
        note(seen, model->name, text);
    }
}

/* What a run cannot do without. A graph is opened only when it is the file that was meant. */
static void verify(seen_pack *seen, fm_runtime *runtime)
{
    static const fm_model_role needed[] = {FM_ROLE_DETECTOR, FM_ROLE_LANDMARKER};
    for (int i = 0; seen->pack && i < 2; i++)
        if (!fm_pack_model_of(seen->pack, needed[i], NULL))
            note(seen, fm_model_role_name(needed[i]), "there is none, and a run needs one");
    for (int i = 0; seen->pack && i < seen->pack->model_count; i++) {
        const fm_pack_model *model = &seen->pack->models[i];
        fm_error err = {0};
        if (fm_pack_check_file(model, &err) != FM_OK || fm_pack_graph_check(runtime, model, &err) != FM_OK)
            note(seen, model->name, err.message);
    }
}

/* --- showing --------------------------------------------------------------------------- */

typedef struct size_text {
    char text[32];
} size_text;

static size_text size_of(const fm_pack_model *model)
{
    size_text s = {"points"};
    if (model->role != FM_ROLE_BLENDSHAPES)
        snprintf(s.text, sizeof s.text, model->input.width > 0 ? "%dx%d" : "any size", model->input.width,
                 model->input.height);
    return s;
}

static void print_findings(const seen_pack *seen)
{
    for (int i = 0; i < seen->finding_count; i++) {
        const finding *f = &seen->findings[i];
        printf("  BROKEN: %s%s%s\n", f->model, *f->model ? ": " : "", f->message);
    }
}

static void print_pack(const seen_pack *seen)
{
    printf("%s%s  %s\n", seen->name, seen->is_default ? " (default)" : "", seen->dir);
    if (seen->pack) {
        if (*seen->pack->description)
            printf("  %s\n", seen->pack->description);
        printf("  licence: %s\n", seen->pack->licence);
    }
    for (int i = 0; seen->pack && i < seen->pack->model_count; i++) {
        const fm_pack_model *m = &seen->pack->models[i];
        printf("  %-12s  %-12s  %-10s  %-9s  %-8s  %s\n", fm_model_role_name(m->role), m->name,
               *m->variant ? m->variant : "-", size_of(m).text, *m->topology ? m->topology : "-", m->file);
    }
    print_findings(seen);
}

static void write_models(fm_json *json, const fm_pack *pack)
{
    fm_json_open(json, "models", '[');
    for (int i = 0; i < pack->model_count; i++) {
        const fm_pack_model *m = &pack->models[i];
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", m->name);
        fm_json_text(json, "role", fm_model_role_name(m->role));
        fm_json_text(json, "variant", *m->variant ? m->variant : NULL);
        fm_json_text(json, "decoding", fm_decoding_name(m->decoding));
        fm_json_text(json, "topology", *m->topology ? m->topology : NULL);
        fm_json_integer(json, "width", m->input.width);
        fm_json_integer(json, "height", m->input.height);
        fm_json_text(json, "file", m->file);
        fm_json_text(json, "sha256", m->sha256);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
}

static void write_pack(fm_json *json, const seen_pack *seen)
{
    fm_json_open(json, NULL, '{');
    fm_json_text(json, "name", *seen->name ? seen->name : NULL);
    fm_json_text(json, "dir", seen->dir);
    fm_json_bool(json, "default", seen->is_default);
    fm_json_text(json, "description", seen->pack && *seen->pack->description ? seen->pack->description : NULL);
    fm_json_text(json, "licence", seen->pack ? seen->pack->licence : NULL);
    if (seen->pack)
        write_models(json, seen->pack);
    else
        fm_json_null(json, "models");
    fm_json_open(json, "findings", '[');
    for (int i = 0; i < seen->finding_count; i++) {
        const finding *f = &seen->findings[i];
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "model", *f->model ? f->model : NULL);
        fm_json_text(json, "message", f->message);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

static fm_status write_packs(const seen_packs *packs, fm_error *err)
{
    fm_json json = fm_json_begin(stdout);
    fm_json_open(&json, NULL, '{');
    fm_json_open(&json, "packs", '[');
    for (int i = 0; i < packs->count; i++)
        write_pack(&json, &packs->list[i]);
    fm_json_close(&json, ']');
    fm_json_close(&json, '}');
    return fm_json_finish(&json, "the list of packs", err);
}

static fm_status show(const seen_packs *packs, bool json, void (*print)(const seen_pack *), fm_error *err)
{
    if (json)
        return write_packs(packs, err);
    errno = 0;
    for (int i = 0; i < packs->count; i++)
        print(&packs->list[i]);
    return fm_stream_status(stdout, "the list of packs", err);
}

/* --- the commands ----------------------------------------------------------------------- */

typedef struct packs_command {
    bool json, quiet, help;
    const char *operand;
} packs_command;

/* -1: go on; else the exit code to end with. `with_json`: --json is an option, else --quiet. */
static int take_arguments(int argc, char **argv, const char *name, bool with_json, packs_command *command)
{
    const struct option options[] = {
        {with_json ? "json" : "quiet", no_argument, NULL, with_json ? 'j' : 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int c;
    while ((c = getopt_long(argc, argv, with_json ? ":h" : ":qh", options, NULL)) != -1) {
        if (c != 'j' && c != 'q' && c != 'h')
            return fm_cli_bad_option(name, c, argv);
        command->json = command->json || c == 'j';
        command->quiet = command->quiet || c == 'q';
        command->help = command->help || c == 'h';
    }
    if (argc - optind > 1)
        return fm_cli_usage(name, "'%s' is one argument too many", argv[optind + 1]);
    command->operand = optind < argc ? argv[optind] : NULL;
    return -1;
}

static int print_help(const char *help)
{
    fputs(help, stdout);
    return 0;
}

int fm_cmd_packs_list(int argc, char **argv)
{
    packs_command command = {0};
    const int code = take_arguments(argc, argv, "models list", true, &command);
    if (code >= 0)
        return code;
    if (command.help)
        return print_help(list_help);
    if (command.operand)
        return fm_cli_usage("models list", "'%s' is one argument too many", command.operand);
    fm_error err = {0};
    seen_packs packs = {0};
    fm_status status = see_all(&packs, &err);
    for (int i = 0; i < packs.count; i++)
        look_for_files(&packs.list[i]);
    if (status == FM_OK)
        status = show(&packs, command.json, print_pack, &err);
    if (status == FM_OK && packs.count == 0 && !command.json)
        puts("no packs; add one with 'facemirror models add'");
    forget(&packs);
    return status == FM_OK ? 0 : fm_cli_fail(&err);
}

static void print_verdict(const seen_pack *seen)
{
    printf("%s  %s%s\n", *seen->name ? seen->name : "?", seen->dir, seen->finding_count ? "" : ": sound");
    print_findings(seen);
}

static fm_status verify_all(seen_packs *packs, const packs_command *command, fm_error *err)
{
    fm_runtime *runtime = NULL;
    fm_status status = command->operand ? see_one(packs, command->operand, err) : see_all(packs, err);
    if (status == FM_OK)
        status = fm_runtime_create(&runtime, NULL, NULL, err);
    int broken = 0;
    for (int i = 0; status == FM_OK && i < packs->count; i++) {
        verify(&packs->list[i], runtime);
        broken += packs->list[i].finding_count > 0 ? 1 : 0;
    }
    fm_runtime_destroy(&runtime);
    if (status == FM_OK)
        status = show(packs, command->json, print_verdict, err);
    if (status == FM_OK && broken > 0)
        status = fm_fail(err, FM_E_MODEL, "%d of %d packs cannot be used as %s; add them again", broken, packs->count,
                         broken == 1 ? "it is" : "they are");
    return status;
}

int fm_cmd_packs_verify(int argc, char **argv)
{
    packs_command command = {0};
    const int code = take_arguments(argc, argv, "models verify", true, &command);
    if (code >= 0)
        return code;
    if (command.help)
        return print_help(verify_help);
    fm_error err = {0};
    seen_packs packs = {0};
    const fm_status status = verify_all(&packs, &command, &err);
    forget(&packs);
    return status == FM_OK ? 0 : fm_cli_fail(&err);
}

static fm_status remove_pack(const packs_command *command, fm_error *err)
{
    char packs[FM_PATH_MAX], dir[FM_PATH_MAX], installed[FM_PATH_MAX];
    bool left = false;
    fm_status status = fm_registry_user_dir(packs, err);
    if (status != FM_OK)
        return status;
    if (!fm_path_join(dir, packs, command->operand))
        return fm_fail(err, FM_E_OUTPUT, "the path '%.200s...' is too long", packs);
    if (!fm_has_manifest(dir) && fm_registry_find(command->operand, installed))
        return fm_fail(err, FM_E_MODEL, "'%s' came with the program, in %s; it is not removed from there",
                       command->operand, installed);
    if (!fm_has_manifest(dir))
        return fm_fail(err, FM_E_MODEL, "there is no pack '%s' in %s; see 'facemirror models list'", command->operand,
                       packs);
    status = fm_pack_remove(dir, &left, err);
    if (status == FM_OK && !command->quiet)
        printf("%s: removed from %s%s\n", command->operand, packs,
               left ? "; its folder stays, since it holds other files" : "");
    return status;
}

int fm_cmd_packs_remove(int argc, char **argv)
{
    packs_command command = {0};
    const int code = take_arguments(argc, argv, "models remove", false, &command);
    if (code >= 0)
        return code;
    if (command.help)
        return print_help(remove_help);
    if (!command.operand)
        return fm_cli_usage("models remove", "remove takes the name of a pack");
    if (!fm_pack_name_ok(command.operand))
        return fm_cli_usage("models remove", "'%s' is no name of a pack", command.operand);
    fm_error err = {0};
    return remove_pack(&command, &err) == FM_OK ? 0 : fm_cli_fail(&err);
}
