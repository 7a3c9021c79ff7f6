using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe completion SHELL</c>.</summary>
internal static class CompletionCommand
{
    private const string Help =
        """
        Print the script that completes commands, options and their values in a shell.

        Examples:
          source <(llmpipe completion bash)                                      # in ~/.bashrc
          source <(llmpipe completion zsh)                                       # in ~/.zshrc, after compinit
          llmpipe completion fish > ~/.config/fish/completions/llmpipe.fish
          llmpipe completion powershell | Out-String | Invoke-Expression  # in $PROFILE
        """;

    private const string Bash =
        """
        _llmpipe() {
          local IFS=$'\n' word=${COMP_LINE:0:COMP_POINT}
          word=${word##* }
          COMPREPLY=($(compgen -W "$("$1" "[suggest:$COMP_POINT]" "$COMP_LINE" 2> /dev/null)" -- "$word"))
        }
        complete -o bashdefault -o default -F _llmpipe llmpipe
        """;

    private const string Zsh =
        """
        #compdef llmpipe
        _llmpipe() {
          local line="${(j: :)words[1,CURRENT]}"
          local -a found
          found=("${(@f)$("${words[1]}" "[suggest:${#line}]" "$line" 2> /dev/null)}")
          found=(${found:#})
          if (( ${#found} )); then compadd -- "${found[@]}"; else _files; fi
        }
        compdef _llmpipe llmpipe
        """;

    private const string Fish =
        """
        function __llmpipe_complete
            set -l line (commandline -cp)
            set -l words (commandline -opc)
            $words[1] "[suggest:"(string length -- "$line")"]" "$line" 2> /dev/null
        end
        complete -c llmpipe -a '(__llmpipe_complete)'
        """;

    private const string PowerShell =
        """
        Register-ArgumentCompleter -Native -CommandName llmpipe, llmpipe.cmd -ScriptBlock {
          param($wordToComplete, $commandAst, $cursorPosition)
          $line = $commandAst.ToString().PadRight($cursorPosition)
          & $commandAst.CommandElements[0].Value "[suggest:$cursorPosition]" $line 2> $null | ForEach-Object {
            [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
          }
        }
        """;

    public static Command Create()
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh, fish or powershell." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish", "powershell");
        var command = new Command("completion", Help) { shell };
        command.SetAction(line => Console.Out.WriteLine(line.GetRequiredValue(shell) switch
        {
            "bash" => Bash,
            "zsh" => Zsh,
            "fish" => Fish,
            _ => PowerShell,
        }));
        return command;
    }
}
