// Line editing with history by libedit. Its setters are variadic, which Swift cannot import; nothing else is done here.
#ifndef CLINEEDIT_H
#define CLINEEDIT_H

typedef struct clineedit clineedit;

/// Completes `line` at `cursor` (a byte offset): returns the text to insert, or NULL for none. What it returns must stay
/// valid until the next call. It may print a list of candidates itself, and then sets `*printed`.
typedef const char *(*clineedit_complete)(void *context, const char *line, int cursor, int *printed);

/// An editor on stdin and stdout, both terminals; NULL when memory is short.
clineedit *clineedit_open(const char *program, clineedit_complete complete, void *context);

/// Reads a line, without its newline; NULL at the end of input. Ctrl-C gives an empty line and sets `*interrupted`.
/// The line stays valid until the next call.
const char *clineedit_read(clineedit *editor, const char *prompt, int *interrupted);

/// Adds a line to the history.
void clineedit_remember(clineedit *editor, const char *line);

/// Reads (write = 0) or writes the history file; failures are of no consequence.
void clineedit_history_file(clineedit *editor, const char *path, int write);

/// Gives the terminal back and frees the editor.
void clineedit_close(clineedit *editor);

#endif
