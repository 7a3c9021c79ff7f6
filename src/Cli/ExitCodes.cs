namespace LlmPipeline;

/// <summary>What the program's exit code says.</summary>
internal static class ExitCodes
{
    public const int Done = 0;

    /// <summary>Redis unreachable, output not writable, disk full, unknown batch, no deployment left.</summary>
    public const int Broke = 1;

    /// <summary>Bad usage, settings or input; nothing was enqueued.</summary>
    public const int Usage = 2;

    /// <summary>Done, with failed rows.</summary>
    public const int FailedRows = 3;

    /// <summary>Interrupted, resumable.</summary>
    public const int Interrupted = 130;
}
