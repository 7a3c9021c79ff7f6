using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Text.RegularExpressions;

namespace LlmPipeline;

/// <summary><c>llmpipe --help</c> on one screen. The commands have the help of the parser, with all that they can do.</summary>
internal sealed partial class RootHelp : SynchronousCommandLineAction
{
    /// <summary>The screen: 24 lines of 80 columns at most.</summary>
    public const string Text =
        """
        llmpipe sends prompts to an LLM in bulk and brings the completions back.

        Usage: llmpipe COMMAND [options]      llmpipe COMMAND --help has the details

          run INPUT             answer every row of a file, in one process
          init NAME             write a prompt function to edit
          simulate              an endpoint that makes answers up, for trials and tests
          completion SHELL      completion for bash, zsh, fish or PowerShell
        A fleet on a Redis:
          work                  make the calls
          serve                 OpenAI's API over HTTP
          submit INPUT          put the rows of a file on the queue
          status, results       how far a batch is; its completions
          result, cancel, retry, forget, workers, queues, deployments, dead, doctor

        Examples:
          llmpipe run prompts/samples/questions.jsonl                  no key needed
          llmpipe run rows.csv --prompt summarize -o answers.csv --check
          llmpipe run rows.csv --prompt summarize -o answers.csv --rpm 500 --budget 5
          llmpipe run r.csv --template '{{$text}}' --schema 'label: good|bad' -o a.csv
          llmpipe work --redis redis.internal:6379 --concurrency 200

        Options: -h, --help    --version
        Endpoint: OPENAI_BASE_URL, OPENAI_API_KEY, or Deployments in llmpipe.json
        """;

    private const int Columns = 80;
    private readonly HelpAction _commands = OfCommands(Console.IsOutputRedirected);

    private RootHelp()
    {
    }

    /// <summary>The help of a command.</summary>
    /// <param name="isRedirected">Whether it goes to a file or a pager, where lines would have no end.</param>
    public static HelpAction OfCommands(bool isRedirected)
    {
        var help = new HelpAction();
        if (isRedirected)
            help.MaxWidth = Columns;
        return help;
    }

    /// <summary>Makes it the help of the root, and lets the parser break the lines of the commands' descriptions.</summary>
    public static void Install(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
            option.Action = new RootHelp();
        Reflow(root);
    }

    // The lines of a paragraph become one. Indented lines stay.
    private static void Reflow(Command command)
    {
        if (command.Description is { } text)
            command.Description = LineBreak().Replace(text, " ");
        foreach (var subcommand in command.Subcommands)
            Reflow(subcommand);
    }

    [GeneratedRegex(@"(?<=\S)\r?\n(?=[^\s])")]
    private static partial Regex LineBreak();

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        if (parseResult.CommandResult.Command is not RootCommand)
            return _commands.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output.WriteLine(Text);
        return ExitCodes.Done;
    }
}
