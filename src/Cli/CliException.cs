namespace LlmPipeline;

/// <summary>The program cannot do what it was asked to. The message is for people, without a stack trace.</summary>
internal sealed class CliException : Exception
{
    private CliException(int exitCode, string message)
        : base(message) => ExitCode = exitCode;

    public int ExitCode { get; }

    /// <summary>Bad usage, settings or input: nothing was enqueued.</summary>
    public static CliException Usage(string message) => new(ExitCodes.Usage, message);

    /// <summary>Something outside broke.</summary>
    public static CliException Broke(string message) => new(ExitCodes.Broke, message);

    /// <summary>An input with errors: each with its line and field.</summary>
    public static CliException Input(string file, InputSummary summary)
    {
        var lines = summary.Errors.Select(e => e.Format(file)).ToList();
        if (summary.ErrorCount > lines.Count)
            lines.Add($"{file}: and {summary.ErrorCount - lines.Count} more errors");
        if (summary.Errors.Any(error => error.What.StartsWith("not UTF-8", StringComparison.Ordinal)))
            lines.Add($"{file}: files of Excel on Windows are often in Windows-1252: --encoding windows-1252 reads them");
        return Usage(string.Join('\n', lines));
    }

    /// <summary>What an exception means for the user; null when it should not have happened.</summary>
    public static CliException? From(Exception e) => e switch
    {
        CliException known => known,
        InputException { HasChanged: true } => Broke(e.Message),
        InputException or PromptFunctionException or LlmSettingsException or GatewaySettingsException => Usage(e.Message),
        RedisUnreachableException { IsSetting: true } => Usage(e.Message),
        BatchLockedException => Usage(e.Message),
        BatchFullException full => Broke($"{full.Message}; the same command again adds the rest"),
        JobTooLargeException large => Broke($"row {large.Job.CustomId}: {large.Message}; what is done is kept, and the same command again goes on"),
        OutputException output => new CliException(output.Refused ? ExitCodes.Usage : ExitCodes.Broke, output.Message),
        RedisUnreachableException or QueueMismatchException or QueueLimitException or EmbeddedRedisException or StackExchange.Redis.RedisException
            or StackExchange.Redis.RedisTimeoutException => Broke(e.Message),
        _ when IsOutOfMemory(e) => Broke(
            "the memory is used up: raise the limit (DOTNET_GCHeapHardLimit, or the container's), or lower --concurrency"),
        _ => null,
    };

    // A library may name it in a message only.
    private static bool IsOutOfMemory(Exception e) =>
        e is OutOfMemoryException || e.Message.Contains(nameof(OutOfMemoryException), StringComparison.Ordinal)
        || (e.InnerException is { } inner && IsOutOfMemory(inner));
}
