using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace LlmPipeline;

/// <summary><c>llmpipe --help</c> on one screen. The commands have the help of the parser, with all that they can do.</summary>
internal sealed class RootHelp : SynchronousCommandLineAction
{
    /// <summary>The screen: 24 lines of 80 columns at most.</summary>
    public const string Text =
        """
        llmpipe sends prompts to an LLM in bulk and brings the completions back.

        Usage: llmpipe COMMAND [options]      llmpipe COMMAND --help has the details

          run INPUT             answer every row of a file, in one process
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
          llmpipe work --redis redis.internal:6379 --concurrency 200

        Options: -h, --help    --version
        Endpoint: OPENAI_BASE_URL, OPENAI_API_KEY, or Deployments in llmpipe.json
        """;

    private readonly HelpAction _commands = new();

    /// <summary>Makes it the help of the root.</summary>
    public static void Install(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
            option.Action = new RootHelp();
    }

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        if (parseResult.CommandResult.Command is not RootCommand)
            return _commands.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output.WriteLine(Text);
        return ExitCodes.Done;
    }
}
