#define _GNU_SOURCE
#define _XOPEN_SOURCE_EXTENDED 1
#define NCURSES_WIDECHAR 1
#include "cterminalscreen.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

static SCREEN *screen;
static struct termios before;
static int has_colors_on;
static char leave[256];

int cterminalscreen_is_known(void) {
    int error;
    if (setupterm(NULL, STDOUT_FILENO, &error) != OK) return 0;
    del_curterm(set_curterm(NULL));
    return 1;
}

int cterminalscreen_open(int colors) {
    setlocale(LC_CTYPE, "");
    if (tcgetattr(STDIN_FILENO, &before) != 0) return -1;
    // A size in the environment is the one of the start; the terminal knows better.
    use_tioctl(TRUE);
    screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) return -1;
    set_term(screen);
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    has_colors_on = colors && has_colors();
    if (has_colors_on) {
        start_color();
        use_default_colors();
        init_pair(1, COLOR_GREEN, -1);
        init_pair(2, COLOR_RED, -1);
        init_pair(3, COLOR_YELLOW, -1);
    }
    leave[0] = 0;
    for (int place = 0; place < 4; place++) {
        const char *text = place == 0 ? exit_attribute_mode : place == 1 ? cursor_normal : place == 2 ? keypad_local : exit_ca_mode;
        if (text != NULL && strlen(leave) + strlen(text) < sizeof leave) strcat(leave, text);
    }
    return 0;
}

int cterminalscreen_is_unicode(void) { return strcmp(nl_langinfo(CODESET), "UTF-8") == 0; }

void cterminalscreen_size(int *width, int *height) { getmaxyx(stdscr, *height, *width); }

void cterminalscreen_begin(void) { erase(); }

static chtype attributes(int style) {
    switch (style) {
    case CTERMINALSCREEN_TITLE: return A_REVERSE;
    case CTERMINALSCREEN_STRONG: return A_BOLD;
    case CTERMINALSCREEN_GOOD: return has_colors_on ? COLOR_PAIR(1) | A_BOLD : A_BOLD;
    case CTERMINALSCREEN_BAD: return has_colors_on ? COLOR_PAIR(2) | A_BOLD : A_BOLD | A_REVERSE;
    case CTERMINALSCREEN_OPEN: return has_colors_on ? COLOR_PAIR(3) | A_BOLD : A_BOLD;
    case CTERMINALSCREEN_DIM: return A_DIM;
    default: return A_NORMAL;
    }
}

void cterminalscreen_put(int row, int column, const char *text, int style) {
    attrset(attributes(style));
    mvaddstr(row, column, text);
    attrset(A_NORMAL);
}

void cterminalscreen_show(void) { refresh(); }

void cterminalscreen_redraw(void) { clearok(curscr, TRUE); }

int cterminalscreen_key(int milliseconds) {
    sigset_t taken, old;
    sigemptyset(&taken);
    sigaddset(&taken, SIGTSTP);
    sigaddset(&taken, SIGWINCH);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    pthread_sigmask(SIG_UNBLOCK, &taken, &old);
    int ready = poll(&input, 1, milliseconds);
    int code = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ready > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL))) return CTERMINALSCREEN_GONE;
    int key = getch();
    switch (key) {
    case ERR:
        // Ready, and nothing to read: the other side has hung up.
        if (ready > 0 && (input.revents & POLLIN)) return CTERMINALSCREEN_GONE;
        return ready < 0 && code == EINTR ? CTERMINALSCREEN_RESIZED : CTERMINALSCREEN_NONE;
    case KEY_LEFT: return CTERMINALSCREEN_LEFT;
    case KEY_RIGHT: return CTERMINALSCREEN_RIGHT;
    case KEY_UP: return CTERMINALSCREEN_UP;
    case KEY_DOWN: return CTERMINALSCREEN_DOWN;
    case KEY_RESIZE: return CTERMINALSCREEN_RESIZED;
    default: return key < 256 ? key : CTERMINALSCREEN_NONE;
    }
}

void cterminalscreen_close(void) {
    endwin();
    delscreen(screen);
    screen = NULL;
}

void cterminalscreen_restore(void) {
    ssize_t written = write(STDOUT_FILENO, leave, strlen(leave));
    (void)written;
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}
