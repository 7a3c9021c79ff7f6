namespace LlmPipeline.Bench;

/// <summary>What the rows of a hostile caller meet.</summary>
internal enum HostileKind
{
    /// <summary>A 403 for each row.</summary>
    Forbidden,

    /// <summary>A 500 for each call.</summary>
    Broken,

    /// <summary>Answers of 1 to 31 MiB, below the setting MaxAnswerBytes.</summary>
    Giant,

    /// <summary>Answers above it.</summary>
    Beyond,

    /// <summary>Completions with headers that are wrong, huge or absurd.</summary>
    Headers,

    /// <summary>Silence until the call times out.</summary>
    Hang,

    /// <summary>Each of them by turns.</summary>
    Mixed,
}
