//! Search path, answers and failures, with commands that every system has.

use super::*;

fn here() -> Shell {
    Shell {
        path: search_path(env::var_os("PATH"), cargo_home()).unwrap(),
        cargo_home: None,
        workspace: env::temp_dir(),
        target: env::temp_dir(),
    }
}

#[test]
fn cargo_comes_first_and_system_dirs_last_and_nothing_twice() {
    let path = search_path(Some("/usr/bin:/c/bin:/usr/sbin".into()), Some("/c".into()));
    assert_eq!(
        path.unwrap(),
        "/c/bin:/usr/bin:/usr/sbin:/usr/local/sbin:/sbin"
    );
}

#[test]
fn search_path_without_home_or_path_still_finds_system_tools() {
    assert_eq!(
        search_path(None, None).unwrap(),
        "/usr/local/sbin:/usr/sbin:/sbin"
    );
}

#[test]
fn tail_says_how_much_it_hides() {
    assert_eq!(tail("a\nb\nc", 2), "  | … 1 lines before\n  | b\n  | c");
    assert_eq!(tail("a\nb", 2), "  | a\n  | b");
}

#[test]
fn failure_names_the_command_and_its_status() {
    let error = here().run_quietly(&CommandLine::words("sh -c").arg("echo why >&2; exit 3"));
    let error = error.unwrap_err().to_string();
    assert_eq!(
        error,
        "`sh -c 'echo why >&2; exit 3'` failed (exit status: 3)"
    );
}

#[test]
fn unknown_program_is_named() {
    let line = CommandLine::new("no-such-program-anywhere");
    let error = here().run(&line).unwrap_err().to_string();
    assert_eq!(error, "cannot start `no-such-program-anywhere`");
    assert!(!here().has("no-such-program-anywhere"));
}

#[test]
fn an_answer_is_trimmed_and_a_failure_is_none() {
    assert_eq!(
        here().ask(&CommandLine::words("echo two words")),
        Some("two words".into())
    );
    assert_eq!(here().ask(&CommandLine::words("false")), None);
}
