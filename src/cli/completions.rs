//! `runlog completions`: a shell's own script.

use clap::CommandFactory;
use clap_complete::Shell;

use super::exit::Exit;
use super::verbs::Done;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Which shell
    shell: Shell,
}

/// Prints the script; see the shell's own manual for where to put it.
pub(super) fn print<C: CommandFactory>(arguments: &Arguments) -> Done {
    let mut command = C::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(Exit::Fine)
}
