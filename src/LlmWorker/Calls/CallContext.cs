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

    /// <summary>Of a call that is none of a job: it needs no quota and says nothing of the endpoint's health.</summary>
    public static CallContext ForProbe() => new("", "", Timeout.InfiniteTimeSpan) { IsProbe = true };

    public bool IsProbe { get; private init; }

    public string JobId { get; } = jobId;

    /// <summary>The <see cref="JobFlow"/> of the job.</summary>
    public string Flow { get; init; } = "";

    public string Model { get; } = model;

    /// <summary>How long each HTTP call may take.</summary>
    public TimeSpan AttemptTimeout { get; } = attemptTimeout;

    /// <summary>The path that the job asks for, without the provider's own addressing; null when that is not known.</summary>
    public string? Path { get; init; }

    /// <summary>How many embeddings are asked for; 0 when that is not known.</summary>
    public int Inputs { get; init; }

    /// <summary>Where the job is, and when no more calls are to be sent.</summary>
    public CallProgress Progress { get; init; } = new(CancellationToken.None);

    /// <summary>Whether the next call was not sent because <see cref="CallProgress.StopSending"/> was cancelled.</summary>
    public bool IsUnsent { get; set; }

    /// <summary>The largest answer, see <see cref="LlmOptions.MaxAnswerBytes"/>.</summary>
    public int MaxAnswerBytes { get; init; } = LlmOptions.DefaultMaxAnswerBytes;

    /// <summary>Where the answer waits to be read if it is large; null: it does not wait.</summary>
    public LargeAnswers? LargeAnswers { get; init; }

    /// <summary>The time of the HTTP call that is under way.</summary>
    public AttemptTimer? Timer { get; set; }

    /// <summary>The turn to read a large answer; it lasts until that is classified.</summary>
    public IDisposable? ReadingTurn { get; set; }

    /// <summary>
    /// The permit of a call whose number at once the endpoint's own slowness limits; null for another. It ends where a large answer waits
    /// here: the endpoint has done its work.
    /// </summary>
    public IDisposable? Permit { get; set; }

    /// <summary>Timestamp of when the answer turned out to be large; 0 while it is not.</summary>
    public long LargeSince { get; set; }

    /// <summary>What its tokens cost; null when that is not known.</summary>
    public TokenPrice? Price { get; init; }

    /// <summary>Whether the tokens of an answer without usage are counted here, because a budget depends on them.</summary>
    public bool EstimatesUsage { get; init; }

    /// <summary>Whether the tokens of one of its calls are counted here.</summary>
    public bool IsUsageEstimated => Answers.Exists(answer => answer.IsUsageEstimated);

    /// <summary>What its calls have cost so far, in nanos; null as long as neither price nor tokens are known.</summary>
    public long? Nanos { get; private set; }

    /// <summary>Timestamp of when its last call was sent; 0 when none was.</summary>
    public long Sent { get; set; }

    /// <summary>Whether other calls were under way with it.</summary>
    public bool HadCompany { get; set; }

    /// <summary>Gets the data of each event of a streamed answer; null for nobody.</summary>
    public DeltaReceiver? Delta { get; set; }

    /// <summary>The HTTP calls so far, in order; more than one where a prompt uses tools. They come one after another.</summary>
    public List<HttpAnswer> Answers { get; } = [];

    /// <summary>Counts the tokens of a call.</summary>
    /// <returns>What they cost, in nanos; null when that is not known.</returns>
    public long? Pay(TokenUsage usage)
    {
        if (Price?.Nanos(usage) is not { } nanos)
            return null;
        Nanos = (Nanos ?? 0) + nanos;
        return nanos;
    }

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
