namespace LlmPipeline;

/// <summary>A call as it arrived, kept with <see cref="SimulatorOptions.Record"/>.</summary>
public sealed record RecordedRequest
{
    /// <summary>Path and query, as sent.</summary>
    public required string Path { get; init; }

    /// <summary>The job it was made for, from the header <c>x-llmpipeline-job-id</c>; null for none.</summary>
    public string? JobId { get; init; }

    /// <summary>The headers by lower-case name, without those that hold keys.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }

    /// <summary>The body, byte for byte.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }
}
