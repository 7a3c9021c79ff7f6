using System.CommandLine;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary><c>llmpipe simulate</c>: the simulator as a process of its own.</summary>
internal static class SimulateCommand
{
    private const string Text = """
        Start an LLM endpoint that is none: it speaks OpenAI's and Azure's HTTP and answers made-up text.

        For trying things out, for tests and for benchmarks. It prints its address and runs until Ctrl+C.
        GET /stats tells what it has counted, POST /stats/reset starts from zero, POST /limits {"rpm":N,"tpm":N} sets limits,
        and a request with the header 'x-sim-fault: KIND' meets that fault.
        """;

    private static readonly string KnownFaults = string.Join(", ", FaultNames.All);

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var host = new Option<string>("--host") { Description = "IP address to listen on, 'localhost', or '*' for all. Anybody who reaches it may use it.", HelpName = "ADDRESS", DefaultValueFactory = _ => "127.0.0.1" };
        var port = SimulateNumbers.Whole("--port", "N", "Port to listen on; 0 takes a free one.", 0, 65535, 0);
        var https = new Option<FileInfo?>("--https") { Description = "Listen for https with a certificate made for this run, and write it to FILE, for clients to trust: on Linux mostly by SSL_CERT_FILE=FILE.", HelpName = "FILE" };
        var seed = SimulateNumbers.Whole("--seed", "N", "What texts, latencies and faults are drawn from, beside the request.", long.MinValue, long.MaxValue, 1);
        var models = new Option<string?>("--models") { Description = "Models (for Azure: deployments) that are served, separated by commas; others are a 404. Without it, every name is served.", HelpName = "NAME,NAME" };
        var apiKey = new Option<string?>("--api-key") { Description = "The key that calls must bring. Without it, any key or none will do.", HelpName = "KEY" };
        var latency = SimulateNumbers.Milliseconds("--latency", "Mean time from a request to its answer.", TimeSpan.FromHours(1));
        var perToken = SimulateNumbers.Milliseconds("--latency-per-token", "Mean time that each completion token adds; fractions are fine.", TimeSpan.FromMinutes(1));
        var jitter = new Option<string>("--jitter") { Description = "How latencies lie around the mean: constant, uniform (half to one and a half), or lognormal (a few are much slower).", HelpName = "SHAPE", DefaultValueFactory = _ => "constant" };
        jitter.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, "constant", "uniform", "lognormal");
        var sigma = SimulateNumbers.Fraction("--sigma", "SIGMA", "With --jitter lognormal: how wide, 0 to 3.", 0, 3, 0.5);
        var rpm = SimulateNumbers.Limit("--rpm", "Requests a minute; in any second no more than three times the even share. Over it: 429 with Retry-After.");
        var tpm = SimulateNumbers.Limit("--tpm", "Tokens a minute, likewise.");
        var azureLike = new Option<bool>("--azure-like") { Description = "Count what a call reserves (prompt + max_tokens) against --tpm for good, as Azure does, and not what it used in the end." };
        var fail = SimulateNumbers.Fraction("--fail", "SHARE", "Share of calls that meet a fault, 0 to 1. A retry is drawn anew.", 0, 1, 0);
        var faults = Faults("--faults", "The faults that --fail draws from, separated by commas", "500,429,reset,hang,cut,notjson when left out");
        var script = Faults("--script", "What the first, second, … call meets, separated by commas", "'ok' is none; then --fail decides");
        var always = SimulateNumbers.Limit("--always", "Answer every call with this status, 400 to 599, and an error body that goes with it.", "STATUS", 400, 599);
        var dialects = SimulateDialects.Option();
        var retryAfter = SimulateNumbers.Milliseconds("--retry-after", "What an injected 429 or 503 asks to wait.", TimeSpan.FromHours(1), 100);
        var words = SimulateNumbers.Whole("--answer-words", "N", "Words of an answer on average.", 1, 10_000_000, 24);
        var misfit = SimulateNumbers.Fraction("--misfit", "SHARE", "Share of the answers to a JSON schema that do not fit it, 0 to 1.", 0, 1, 0);
        var estimate = new Option<bool>("--estimate-tokens") { Description = "Count a token per four bytes, not OpenAI's tokens (o200k_base): faster, and 40 MB less." };
        var pretty = new Option<bool>("--pretty") { Description = "Write answers with line breaks and indentation." };
        var extra = new Option<bool>("--extra-fields") { Description = "Add fields to answers that no client knows." };
        var record = new Option<bool>("--record") { Description = "Keep all requests in memory; GET /requests returns them as JSON lines." };
        var json = new Option<bool>("--json") { Description = "Print the address as {\"url\":…,\"base_url\":…} on standard output." };

        var logFormat = CommandLog.Option();

        var command = new Command("simulate", Text)
        {
            host, port, https, seed, models, apiKey, latency, perToken, jitter, sigma, rpm, tpm, azureLike, fail, faults, script, always,
            dialects, retryAfter, words, misfit, estimate, pretty, extra, record, json, logFormat,
        };
        command.SetAction((parse, cancellationToken) => RunAsync(
            new SimulatorOptions
            {
                Host = parse.GetRequiredValue(host),
                Port = (int)parse.GetValue(port),
                Https = parse.GetValue(https) is not null,
                Mark = true,
                Seed = parse.GetValue(seed),
                Models = parse.GetValue(models)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
                ApiKey = parse.GetValue(apiKey),
                Latency = TimeSpan.FromMilliseconds(parse.GetValue(latency)),
                LatencyPerToken = TimeSpan.FromMilliseconds(parse.GetValue(perToken)),
                LatencyShape = Enum.Parse<LatencyShape>(parse.GetRequiredValue(jitter), ignoreCase: true),
                LatencySigma = parse.GetValue(sigma),
                RequestsPerMinute = (int?)parse.GetValue(rpm),
                TokensPerMinute = parse.GetValue(tpm),
                CorrectToUsage = !parse.GetValue(azureLike),
                FailShare = parse.GetValue(fail),
                Faults = parse.GetValue(faults) is { Length: > 0 } named ? named : new SimulatorOptions().Faults,
                Script = parse.GetValue(script),
                AlwaysStatus = (int?)parse.GetValue(always),
                Dialects = parse.GetValue(dialects) ?? [],
                RetryAfter = TimeSpan.FromMilliseconds(parse.GetValue(retryAfter)),
                AnswerWords = (int)parse.GetValue(words),
                MisfitShare = parse.GetValue(misfit),
                CountTokens = !parse.GetValue(estimate),
                Pretty = parse.GetValue(pretty),
                ExtraFields = parse.GetValue(extra),
                Record = parse.GetValue(record),
            },
            parse.GetValue(https),
            parse.GetValue(json),
            parse.InvocationConfiguration.Output,
            new CommandLog(CommandLog.Format(parse.GetRequiredValue(logFormat)), parse.InvocationConfiguration.Error),
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(SimulatorOptions options, FileInfo? certificate, bool json, TextWriter output, CommandLog log, CancellationToken cancellationToken)
    {
        using var _ = log;
        LlmSimulator simulator;
        try
        {
            simulator = await LlmSimulator.StartAsync(options, cancellationToken);
        }
        catch (IOException e)
        {
            log.Say(e.Message, LogLevel.Error);
            return 1;
        }
        catch (ArgumentException e)
        {
            log.Say(e.Message, LogLevel.Error);
            return 2;
        }
        await using (simulator)
        {
            if (certificate is not null && await WriteAsync(certificate, simulator.CertificatePem!) is { } failure)
            {
                log.Say(failure, LogLevel.Error);
                return 1;
            }

            var url = simulator.Address.ToString().TrimEnd('/');
            log.Say($"Simulated LLM on {url}: its answers are made up. Use it with OPENAI_BASE_URL={simulator.BaseUrl}; Ctrl+C ends it.");
            if (json)
            {
                await output.WriteLineAsync($"{{\"url\":{JsonSerializer.Serialize(url)},\"base_url\":{JsonSerializer.Serialize(simulator.BaseUrl.ToString())}}}");
                await output.FlushAsync(CancellationToken.None);
            }
            // Ctrl+C and SIGTERM cancel the token: that is the normal end.
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return 0;
    }

    private static async Task<string?> WriteAsync(FileInfo file, string text)
    {
        try
        {
            await File.WriteAllTextAsync(file.FullName, text, CancellationToken.None);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"--https: {file} cannot be written: {e.Message}";
        }
    }

    private static Option<FaultKind[]?> Faults(string name, string what, string otherwise) => new(name)
    {
        Description = $"{what}: {KnownFaults} ({otherwise}).",
        HelpName = "KIND,KIND",
        CustomParser = result =>
        {
            var kinds = new List<FaultKind>();
            foreach (var item in result.Tokens[0].Value.Split(','))
            {
                if (!FaultNames.TryParse(item, out var kind))
                {
                    result.AddError($"{name}: '{item}' is no fault. Known are: {KnownFaults}.");
                    return null;
                }
                kinds.Add(kind);
            }
            return [.. kinds];
        },
    };
}
