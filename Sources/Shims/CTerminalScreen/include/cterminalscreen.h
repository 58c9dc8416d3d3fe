// A full screen by ncurses. Its variables and macros Swift cannot import; nothing else is done here. For one thread, but for `restore`.
#ifndef CTERMINALSCREEN_H
#define CTERMINALSCREEN_H

/// How a text looks.
enum cterminalscreen_style {
    CTERMINALSCREEN_PLAIN,
    CTERMINALSCREEN_TITLE,
    CTERMINALSCREEN_STRONG,
    CTERMINALSCREEN_GOOD,
    CTERMINALSCREEN_BAD,
    CTERMINALSCREEN_OPEN,
    CTERMINALSCREEN_DIM,
};

/// What was typed, beside characters.
enum cterminalscreen_key {
    CTERMINALSCREEN_NONE = -1,
    /// The terminal is gone.
    CTERMINALSCREEN_GONE = -2,
    CTERMINALSCREEN_LEFT = 0x1000,
    CTERMINALSCREEN_RIGHT,
    CTERMINALSCREEN_UP,
    CTERMINALSCREEN_DOWN,
    /// The screen has another size, or was away.
    CTERMINALSCREEN_RESIZED,
};

/// Whether the terminal is known; changes nothing on it.
int cterminalscreen_is_known(void);
/// Takes stdin and stdout, both terminals; -1 when the terminal is not known. SIGTSTP and SIGWINCH must be blocked.
int cterminalscreen_open(int colors);
/// Whether the terminal shows UTF-8.
int cterminalscreen_is_unicode(void);
void cterminalscreen_size(int *width, int *height);
/// Begins a frame: what is not put again is blank.
void cterminalscreen_begin(void);
void cterminalscreen_put(int row, int column, const char *text, int style);
/// Shows the frame: sends what differs from the one before.
void cterminalscreen_show(void);
/// Draws everything anew with the next frame.
void cterminalscreen_redraw(void);
/// Waits for a key for so many milliseconds. Only meanwhile the program can be suspended.
int cterminalscreen_key(int milliseconds);
void cterminalscreen_close(void);
/// Gives the terminal back at once, from any thread; the screen must not be used afterwards.
void cterminalscreen_restore(void);

#endif
