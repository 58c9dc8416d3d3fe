#include "clineedit.h"

#include <histedit.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct clineedit {
    EditLine *edit;
    History *history;
    const char *prompt;
    clineedit_complete complete;
    void *context;
    char *line;
    int interrupted;
};

static clineedit *owner(EditLine *edit) {
    clineedit *editor = NULL;
    el_get(edit, EL_CLIENTDATA, &editor);
    return editor;
}

static char *prompt(EditLine *edit) { return (char *)owner(edit)->prompt; }

static unsigned char complete(EditLine *edit, int key) {
    (void)key;
    clineedit *editor = owner(edit);
    const LineInfo *info = el_line(edit);
    size_t length = (size_t)(info->lastchar - info->buffer);
    char *line = malloc(length + 1);
    if (line == NULL) return CC_ERROR;
    memcpy(line, info->buffer, length);
    line[length] = 0;
    int printed = 0;
    const char *insert = editor->complete(editor->context, line, (int)(info->cursor - info->buffer), &printed);
    free(line);
    if (insert != NULL && *insert != 0 && el_insertstr(edit, insert) == -1) return CC_ERROR;
    if (printed) return CC_REDISPLAY;
    return insert != NULL && *insert != 0 ? CC_REFRESH : CC_NORM;
}

static unsigned char cancel(EditLine *edit, int key) {
    (void)key;
    owner(edit)->interrupted = 1;
    return CC_NEWLINE;
}

clineedit *clineedit_open(const char *program, clineedit_complete completer, void *context) {
    setlocale(LC_CTYPE, "");
    clineedit *editor = calloc(1, sizeof *editor);
    if (editor == NULL) return NULL;
    editor->complete = completer;
    editor->context = context;
    editor->edit = el_init(program, stdin, stdout, stderr);
    editor->history = history_init();
    if (editor->edit == NULL || editor->history == NULL) {
        clineedit_close(editor);
        return NULL;
    }
    HistEvent event;
    history(editor->history, &event, H_SETSIZE, 1000);
    history(editor->history, &event, H_SETUNIQUE, 1);
    el_set(editor->edit, EL_CLIENTDATA, editor);
    el_set(editor->edit, EL_PROMPT, prompt);
    el_set(editor->edit, EL_EDITOR, "emacs");
    el_set(editor->edit, EL_SIGNAL, 0);
    el_set(editor->edit, EL_HIST, history, editor->history);
    el_set(editor->edit, EL_ADDFN, "dirtyrec-complete", "Complete the word.", complete);
    el_set(editor->edit, EL_BIND, "^I", "dirtyrec-complete", NULL);
    el_source(editor->edit, NULL);
    // While a line is edited, Ctrl-C is a key and no signal: it drops the line.
    el_set(editor->edit, EL_SETTY, "-d", "-isig", NULL);
    el_set(editor->edit, EL_ADDFN, "dirtyrec-cancel", "Drop the line.", cancel);
    el_set(editor->edit, EL_BIND, "^C", "dirtyrec-cancel", NULL);
    return editor;
}

const char *clineedit_read(clineedit *editor, const char *text, int *interrupted) {
    editor->prompt = text;
    editor->interrupted = 0;
    int count = 0;
    const char *line = el_gets(editor->edit, &count);
    *interrupted = editor->interrupted;
    free(editor->line);
    editor->line = NULL;
    if (editor->interrupted) {
        fputs("^C\n", stdout);
        fflush(stdout);
        return "";
    }
    if (line == NULL || count <= 0) return NULL;
    editor->line = strndup(line, (size_t)count);
    if (editor->line == NULL) return NULL;
    size_t length = strlen(editor->line);
    if (length > 0 && editor->line[length - 1] == '\n') editor->line[length - 1] = 0;
    return editor->line;
}

void clineedit_remember(clineedit *editor, const char *line) {
    HistEvent event;
    history(editor->history, &event, H_ENTER, line);
}

void clineedit_history_file(clineedit *editor, const char *path, int write) {
    HistEvent event;
    history(editor->history, &event, write ? H_SAVE : H_LOAD, path);
}

void clineedit_close(clineedit *editor) {
    if (editor->history != NULL) history_end(editor->history);
    if (editor->edit != NULL) el_end(editor->edit);
    free(editor->line);
    free(editor);
}
