using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary><c>llmpipe run INPUT</c>.</summary>
internal static class RunCommand
{
    private const string Help =
        """
        Answer every row of a file, in one process.

        The first line of INPUT shows its kind: OpenAI Batch lines, bare request bodies, rows (JSONL, or CSV with a
        header, with --prompt or --template), or plain text, a prompt a line. The whole file is checked first.
        The answers go to INPUT's name with .results.jsonl, in the order of the rows; rows that failed go to .errors.jsonl.

        The endpoint comes from llmpipe.json, or from OPENAI_BASE_URL / OPENAI_API_KEY, or from AZURE_OPENAI_ENDPOINT /
        AZURE_OPENAI_API_KEY. Without any, a simulator in the process answers, and says so; with --redis one is needed, or
        --fleet, with which the workers of that Redis make the calls.

        A run that was stopped or killed goes on where it was when the same command is given again. On a Redis a batch has one
        live run: a second one ends with 2.

        Examples:
          llmpipe run prompts/samples/questions.jsonl
          llmpipe run rows.csv --prompt summarize -o answers.csv --check
          llmpipe run rows.csv --prompt summarize -o answers.csv --rpm 500
          llmpipe run reviews.csv --template 'Review: {{$review}}' \
            --schema 'label: positive|negative' -o labels.csv
          llmpipe run notes.txt --system "Answer briefly." --set temperature=0

        Exit codes: 0 done, 1 broke (what is done is kept), 2 bad usage or input (nothing was sent), 3 done with failed
        rows, or stopped by --budget or --max-failures, 130 interrupted.
        """;

    public static Command Create()
    {
        var inputs = new InputArguments();
        var output = new Option<string?>("--output", "-o")
        {
            Description = "Where the answers go: a .jsonl file, or a .csv or .tsv file that also gets the input's columns; - prints them in order.",
            HelpName = "OUTPUT",
        };
        var excelSafe = new Option<bool>("--excel-safe") { Description = "With a table as output: cells that a spreadsheet would run as formulas (= + - @) are made texts by a '." };
        var fallback = Fallback();
        var concurrency = Number("--concurrency", "Calls at the same time. Default: 32.", "N", 1, 100_000);
        var rpm = Number("--rpm", "Requests per minute that the provider allows (each deployment).", "N", 1, int.MaxValue);
        var tpm = Number("--tpm", "Tokens per minute that the provider allows (each deployment).", "N", 1, int.MaxValue);
        var maxAttempts = Number("--max-attempts", "How often a row is tried at most. Default: 8.", "N", 1, 1000);
        var attemptTimeout = Seconds("--attempt-timeout", "How long one call may take, in seconds. Default: 600.", 86400);
        var redis = new Option<string?>("--redis") { Description = "Work on this Redis (HOST:PORT, redis://… or a StackExchange.Redis configuration) instead of the store in the process. The rows are called by this run only; their results stay there.", HelpName = "R" };
        var fleet = new Option<bool>("--fleet") { Description = "With --redis: submit the rows to the workers (llmpipe work) of that Redis and wait for their answers. This process calls nothing and needs no endpoint." };
        var limit = Number("--limit", "Only the first N rows.", "N", 1, int.MaxValue);
        var sample = Number("--sample", "Only N rows, taken at random; the same ones when the same file is given again.", "N", 1, int.MaxValue);
        var maxFailures = FailureLimit.Option();
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask, although the run may cost more than the setting AskAbove." };
        var reuse = new Option<bool>("--reuse")
        {
            Description = "Take the answers of the output that is there for rows that ask the same, although the file was edited. On by default when rows were only added.",
        };
        var show = Number("--show", "With --check: print the first N prompts as they would be sent.", "N", 1, 1000);
        var budget = Budget();
        var dedupe = new Option<bool>("--dedupe") { Description = "Call once for rows that ask the same (model, url and body, or messages); the others get a copy of the answer." };
        var retryFailed = new Option<bool>("--retry-failed") { Description = "Also run the rows again that failed in an earlier run." };
        var keepGoing = new Option<bool>("--keep-going") { Description = "Call every row, although the first five of a model fail with the same error." };
        var again = new Option<bool>("--again") { Description = "Run everything again, although answers of this file are there." };
        var check = new Option<bool>("--check") { Description = "Only check the file, and tell its rows, tokens and cost." };
        var force = new Option<bool>("--force") { Description = "Replace an output that holds something else." };
        var json = new Option<bool>("--json") { Description = "The report on standard output, as JSON." };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Report only what goes wrong." };
        var noProgress = new Option<bool>("--no-progress") { Description = "Report nothing while the run goes on." };
        var config = new Option<string?>("--config") { Description = "Settings; default: llmpipe.json in the working directory.", HelpName = "FILE" };
        var logFormat = CommandLog.Option();
        var command = new Command("run", Help)
        {
            output, excelSafe, fallback, concurrency, rpm, tpm, maxAttempts, attemptTimeout, redis, fleet, limit, sample, budget, maxFailures, yes, dedupe, reuse,
            retryFailed, keepGoing, again, check, show, force, json, quiet, noProgress, config, logFormat,
        };
        foreach (var symbol in inputs.Symbols)
        {
            if (symbol is Option option)
                command.Options.Add(option);
            else
                command.Arguments.Add((Argument)symbol);
        }

        command.SetAction((parsed, _) => ExecuteAsync(
            inputs.Read(parsed) with
            {
                ExcelSafe = parsed.GetValue(excelSafe),
                Show = parsed.GetValue(show),
                Sample = parsed.GetValue(sample),
                MaxFailures = parsed.GetValue(maxFailures),
                Reuse = parsed.GetValue(reuse),
                Yes = parsed.GetValue(yes),
                Output = parsed.GetValue(output),
                Fallbacks = parsed.GetValue(fallback) ?? [],
                Concurrency = parsed.GetValue(concurrency),
                RequestsPerMinute = parsed.GetValue(rpm),
                TokensPerMinute = parsed.GetValue(tpm),
                MaxAttempts = parsed.GetValue(maxAttempts),
                AttemptTimeout = parsed.GetValue(attemptTimeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                Redis = parsed.GetValue(redis),
                Fleet = parsed.GetValue(fleet),
                Limit = parsed.GetValue(limit),
                Budget = parsed.GetValue(budget) is { } amount ? JobCost.NanosOf(amount) : null,
                Dedupe = parsed.GetValue(dedupe),
                RetryFailed = parsed.GetValue(retryFailed),
                KeepGoing = parsed.GetValue(keepGoing),
                Again = parsed.GetValue(again),
                Check = parsed.GetValue(check),
                Force = parsed.GetValue(force),
                Json = parsed.GetValue(json),
                Quiet = parsed.GetValue(quiet),
                NoProgress = parsed.GetValue(noProgress),
                LogFormat = CommandLog.Format(parsed.GetRequiredValue(logFormat)),
            },
            parsed.GetValue(config)));
        return command;
    }

    private static async Task<int> ExecuteAsync(RunOptions options, string? config)
    {
        if (options.Fleet && NotOfFleet(options).ToList() is { Count: > 0 } refused)
            throw CliException.Usage(string.Join('\n', refused));
        if (options.Show is not null && !options.Check)
            throw CliException.Usage("--show goes with --check: it prints prompts, and nothing is sent");
        if (options.Output == "-" && options.Json)
            throw CliException.Usage("-o - and --json both write to standard output");
        ProcessLimits.Check(isRun: true);
        using var interrupt = new Interrupt(ExitCodes.Interrupted);
        var console = new RunConsole(options);
        using var loggers = StderrLoggerProvider.Loggers(console.Write, format: options.LogFormat);
        try
        {
            var settings = Settings.Load(config);
            await using var store = new RunStore(options, loggers, interrupt.Token);
            await using var spool = await StandardInput.SpoolAsync(options, interrupt.Token).ConfigureAwait(false);
            var plan = await RunPlan.MakeAsync(spool.Options, settings, forFleet: options.Fleet, interrupt.Token).ConfigureAwait(false);
            foreach (var note in plan.Notes())
                console.Say(note);
            if (options.Budget is not null && RunEstimate.Unpriced(plan).ToList() is { Count: > 0 } unpriced)
                throw CliException.Usage($"--budget: what {string.Join(", ", unpriced)} costs is not known: the settings Prices:MODEL:Input and :Output tell it");
            if (options.Show is { } rows)
                await RunPreview.PrintAsync(plan, rows, Console.Out, interrupt.Token).ConfigureAwait(false);
            if (options.Check)
            {
                await RunCheck.ReportAsync(plan, options.Concurrency ?? settings.Concurrency ?? 32, console, interrupt.Token).ConfigureAwait(false);
                return ExitCodes.Done;
            }

            ProcessLimits.Check(isRun: true, plan.IsSimulated);
            console.Say(SettingsLine.Of(settings, plan));
            if (options.Fleet)
                return await new FleetRunner(plan, settings, console, loggers).RunAsync(interrupt.Token).ConfigureAwait(false);
            return await new Runner(plan, settings, store, console, loggers).RunAsync(interrupt.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (interrupt.Token.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }
        catch (Exception e) when (options.LogFormat == LogFormat.Json)
        {
            return Complaint.Of(e, line => console.Say(line, LogLevel.Error));
        }
    }

    /// <summary>Options that only a process can keep which makes the calls itself.</summary>
    private static IEnumerable<string> NotOfFleet(RunOptions options)
    {
        if (options.Redis is null)
            yield return "--fleet needs --redis: the Redis whose workers make the calls";
        foreach (var (name, isSet) in new[]
        {
            ("--concurrency", options.Concurrency is not null), ("--rpm", options.RequestsPerMinute is not null), ("--tpm", options.TokensPerMinute is not null),
            ("--budget", options.Budget is not null), ("--max-failures", options.MaxFailures is not null), ("--fallback", options.Fallbacks.Count > 0), ("--keep-going", options.KeepGoing), ("--dedupe", options.Dedupe), ("--reuse", options.Reuse), ("--yes", options.Yes),
        })
        {
            if (isSet)
                yield return $"{name} does not go with --fleet: the workers make the calls, and do not know it";
        }
    }

    /// <summary>The option for models to fall back to.</summary>
    internal static Option<string[]> Fallback() => new("--fallback")
    {
        Description = "A model that takes the prompts while no deployment of their own model can; repeatable, the first first. Default: the setting Fallbacks.",
        HelpName = "M",
        AllowMultipleArgumentsPerToken = false,
    };

    private static Option<decimal?> Budget() => new("--budget")
    {
        Description = "Stop when the calls of this process have cost so much, in the currency of the setting Prices; what earlier runs of the batch have cost counts.",
        HelpName = "AMOUNT",
        CustomParser = result =>
        {
            var typed = result.Tokens[0].Value;
            if (decimal.TryParse(typed, System.Globalization.NumberStyles.AllowDecimalPoint, System.Globalization.CultureInfo.InvariantCulture, out var amount) && amount is >= 0.000_000_001m and <= 1_000_000_000)
                return amount;
            result.AddError($"--budget {typed}: an amount above 0 is needed, such as 5.00");
            return null;
        },
    };

    /// <summary>An option for a whole number within bounds.</summary>
    internal static Option<int?> Number(string name, string description, string helpName, int from, int to)
    {
        var option = new Option<int?>(name) { Description = description, HelpName = helpName };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 0)
                return;
            if (!int.TryParse(result.Tokens[0].Value, out var number) || number < from || number > to)
                result.AddError($"{name} {result.Tokens[0].Value}: a whole number from {from} {(to == int.MaxValue ? "up" : $"to {to}")} is needed");
        });
        return option;
    }

    /// <summary>An option for a time in seconds.</summary>
    internal static Option<double?> Seconds(string name, string description, int to)
    {
        var option = new Option<double?>(name) { Description = description, HelpName = "S" };
        option.Validators.Add(result =>
        {
            if (result.Errors.Any() || result.Tokens.Count == 0)
                return;
            if (!double.TryParse(result.Tokens[0].Value, System.Globalization.CultureInfo.InvariantCulture, out var seconds) || !(seconds > 0 && seconds <= to))
                result.AddError($"{name} {result.Tokens[0].Value}: a number of seconds above 0 and up to {to} is needed");
        });
        return option;
    }
}
