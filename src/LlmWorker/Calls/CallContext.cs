namespace LlmPipeline;

/// <summary>
/// One try of a job, as the handler below the SDKs sees it: neither the OpenAI SDK nor Semantic Kernel carries these through, so they flow
/// with the asynchronous call.
/// </summary>
internal sealed class CallContext(string jobId, string model, TimeSpan attemptTimeout)
{
    private static readonly AsyncLocal<CallContext?> Flowing = new();

    public static CallContext Current
    {
        get => Flowing.Value ?? throw new InvalidOperationException("An HTTP call outside of a job's try.");
        set => Flowing.Value = value;
    }

    public string JobId { get; } = jobId;

    public string Model { get; } = model;

    /// <summary>How long each HTTP call may take.</summary>
    public TimeSpan AttemptTimeout { get; } = attemptTimeout;

    /// <summary>Gets the data of each event of a streamed answer; null for nobody.</summary>
    public Action<string>? Delta { get; set; }

    /// <summary>The HTTP calls so far, in order; more than one where a prompt uses tools. They come one after another.</summary>
    public List<HttpAnswer> Answers { get; } = [];

    public TokenUsage Usage
    {
        get
        {
            var sum = default(TokenUsage);
            foreach (var answer in Answers)
                sum += answer.Parsed.Usage;
            return sum;
        }
    }
}
