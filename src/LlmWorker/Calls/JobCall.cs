using Microsoft.SemanticKernel.ChatCompletion;

namespace LlmPipeline;

/// <summary>One job in the hands of the caller: what its tries have come to so far.</summary>
internal sealed class JobCall(Job job, int charged, int maxAttempts)
{
    public Job Job { get; } = job;

    /// <summary>How many embeddings it asks for; 0 when it does not say, or asks for none.</summary>
    public int Inputs { get; } = job.Work is RequestWork { Path: "/v1/embeddings" } request ? EmbeddingInputs.Count(request.Body.Span) : 0;

    /// <summary>Whether it asks for a response that is made in the background.</summary>
    public bool AsksBackground => Job.Work is RequestWork { Path: "/v1/responses" } request && BackgroundField.IsSet(request.Body.Span);

    /// <summary>Attempts charged, those of earlier claims included.</summary>
    public int Attempts { get; set; } = charged;

    public int MaxAttempts { get; } = maxAttempts;

    /// <summary>Asked for each call anew: gets the events of its answer.</summary>
    public Func<TimeSpan, DeltaReceiver>? Stream { get; init; }

    /// <summary>Where the job is, and when no more calls are to be sent.</summary>
    public CallProgress Progress { get; init; } = new(CancellationToken.None);

    /// <summary>Tries in a row that charged nothing; their waits grow too.</summary>
    public int Uncharged { get; set; }

    /// <summary>What a prompt job renders to, once for all tries.</summary>
    public (ChatHistory Messages, PromptSettings Settings)? Rendered { get; set; }

    /// <summary>The conversation of the last try: what was rendered, and the calls of tools with their results.</summary>
    public ChatHistory Conversation { get; set; } = [];

    /// <summary>How often the model was asked again because its answer did not fit the schema.</summary>
    public int Reasks { get; set; }

    /// <summary>The deployment of the last call; null before the first.</summary>
    public Deployment? Deployment { get; set; }

    /// <summary>The model that it was asked for: the job's own, or one to fall back to.</summary>
    public string Model { get; set; } = job.Model;

    /// <summary>The deployments that this job has found down since its last attempt was charged.</summary>
    public HashSet<Deployment> Down { get; } = [];

    /// <summary>Time-outs that are its own.</summary>
    public int Timeouts { get; set; }

    /// <summary>Time-outs of which it is not known whose they are.</summary>
    public int UndecidedTimeouts { get; set; }

    /// <summary>The last answer that came of a call really made: an open circuit must not hide what the provider said.</summary>
    public HttpAnswer? Answer { get; set; }

    public Classified Last { get; set; }

    /// <summary>The path of the API that it calls.</summary>
    public string Path { get; } = job.Work is RequestWork request ? request.Path : "/v1/chat/completions";

    /// <summary>The <see cref="JobFlow"/>.</summary>
    public string Flow { get; } = JobFlow.Of(job);

    /// <summary>What it asks of a deployment.</summary>
    public RouteRequest Request => new(Job.Model, Path, Flow) { Failed = Failed, Down = Down };

    /// <summary>The deployment that has just failed; null before the first call, and when the model is asked again.</summary>
    public Deployment? Failed => Last.Kind == OutcomeKind.Completion ? null : Deployment;

    public TokenUsage Usage { get; set; }

    /// <summary>Whether a provider did not report some of these tokens, and they are counted here.</summary>
    public bool IsUsageEstimated { get; set; }

    /// <summary>What its calls have cost, each deployment once.</summary>
    public List<JobCost> Costs { get; } = [];

    /// <summary>Adds what a try on a deployment has cost.</summary>
    /// <param name="deployment">Its name.</param>
    /// <param name="nanos">Null when no price is known.</param>
    public void Pay(string deployment, long? nanos)
    {
        if (nanos is null)
            return;
        var at = Costs.FindIndex(cost => cost.Deployment == deployment);
        if (at < 0)
            Costs.Add(new JobCost(deployment, nanos.Value));
        else
            Costs[at] = Costs[at] with { Nanos = Costs[at].Nanos + nanos.Value };
    }

    public CallOutcome End(CallVerdict verdict) => End(verdict, Last.Code, Last.Message);

    public CallOutcome End(CallVerdict verdict, string? code, string? message, TimeSpan delay = default) => new()
    {
        Verdict = verdict,
        StatusCode = Answer?.Status,
        RequestId = Answer?.RequestId,
        Body = Answer?.Body ?? default,
        ErrorCode = verdict == CallVerdict.Completed ? null : code,
        ErrorMessage = verdict == CallVerdict.Completed ? null : message,
        Flags = verdict == CallVerdict.Completed ? Last.Flags | (Answer?.IsSimulated == true ? AnswerFlags.Simulated : 0) : AnswerFlags.None,
        Deployment = Deployment?.Name,
        Usage = Usage,
        IsUsageEstimated = IsUsageEstimated,
        Costs = [.. Costs],
        Attempts = Attempts,
        Reasks = Reasks,
        Delay = delay,
        Started = Answer?.Started ?? default,
    };
}

/// <summary>What a try came to: an end, or a wait before the next try.</summary>
internal sealed record Turn(CallOutcome? End, TimeSpan Wait = default)
{
    public static Turn AtOnce { get; } = new(null, TimeSpan.Zero);

    public static implicit operator Turn(CallOutcome end) => new(end);
}
