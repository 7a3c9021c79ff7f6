namespace LlmPipeline;

/// <summary>What the user asked of <c>llmpipe run</c> or <c>submit</c>; null is "not said".</summary>
internal sealed record RunOptions
{
    /// <summary>The files as the user named them; <c>-</c> is standard input.</summary>
    public required IReadOnlyList<string> Inputs { get; init; }

    /// <summary>The one of the files that is what came on standard input; null for none.</summary>
    public string? StandardInputPath { get; init; }

    /// <summary>How the files are read whatever they begin with; null for what they show.</summary>
    public InputAs? As { get; init; }

    /// <summary>The encoding of the files; null for UTF-8 or what they show.</summary>
    public string? Encoding { get; init; }

    /// <summary>The column that names the rows; null for custom_id or id.</summary>
    public string? IdColumn { get; init; }

    /// <summary>Fields of bodies that are not sent.</summary>
    public IReadOnlyList<string> Drop { get; init; } = [];

    /// <summary>A template in place of a prompt function's.</summary>
    public string? Template { get; init; }

    /// <summary>The schema of the answers: a file, or fields and their types.</summary>
    public string? Schema { get; init; }

    /// <summary>Whether cells of a table that a spreadsheet would take for formulas are made texts.</summary>
    public bool ExcelSafe { get; init; }

    /// <summary>Whether answers of another batch's output are taken for rows that ask the same, although others of it are lost.</summary>
    public bool Reuse { get; init; }

    /// <summary>How many prompts are shown as they would be sent.</summary>
    public int? Show { get; init; }

    /// <summary>How many rows are taken at random.</summary>
    public int? Sample { get; init; }

    /// <summary>How many rows may fail before the run stops.</summary>
    public FailureLimit? MaxFailures { get; init; }

    /// <summary>Whether a run that costs more than the setting AskAbove goes on without being asked.</summary>
    public bool Yes { get; init; }

    public string? Output { get; init; }

    public string? Prompt { get; init; }

    public string? Model { get; init; }

    public IReadOnlyList<string> Fallbacks { get; init; } = [];

    public string? System { get; init; }

    public IReadOnlyList<string> Set { get; init; } = [];

    public int? Concurrency { get; init; }

    public int? RequestsPerMinute { get; init; }

    public int? TokensPerMinute { get; init; }

    public int? MaxAttempts { get; init; }

    /// <summary>Whether rows go on although the first ones of their model fail alike.</summary>
    public bool KeepGoing { get; init; }

    public TimeSpan? AttemptTimeout { get; init; }

    public string? Redis { get; init; }

    /// <summary>Whether the workers of that Redis make the calls.</summary>
    public bool Fleet { get; init; }

    /// <summary>What the batch is called by people; null for nothing.</summary>
    public string? Name { get; init; }

    public Lane Lane { get; init; } = Lane.Normal;

    /// <summary>When the rows are no longer wanted; null for never.</summary>
    public DateTimeOffset? Deadline { get; init; }

    public int? Limit { get; init; }

    /// <summary>The most that the batch may cost, in nanos; null for no limit.</summary>
    public long? Budget { get; init; }

    /// <summary>Whether rows that ask the same are called once.</summary>
    public bool Dedupe { get; init; }

    public bool RetryFailed { get; init; }

    public bool Again { get; init; }

    public bool Check { get; init; }

    public bool Force { get; init; }

    public bool Json { get; init; }

    /// <summary>Whether only what goes wrong is reported.</summary>
    public bool Quiet { get; init; }

    /// <summary>Whether nothing is reported while the run goes on.</summary>
    public bool NoProgress { get; init; }

    /// <summary>How lines on standard error are written.</summary>
    public LogFormat LogFormat { get; init; }
}
