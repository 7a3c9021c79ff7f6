using System.IO.Hashing;
using System.Text;

namespace LlmPipeline;

/// <summary>Finds out what a refusal concerns, and closes that when it is certain.</summary>
/// <param name="options">How calls are made.</param>
/// <param name="trials">The starts of batches.</param>
/// <param name="time">The clock.</param>
internal sealed class RefusalJudge(LlmOptions options, BatchTrials trials, TimeProvider time)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>Judges the refusal that a call has met.</summary>
    /// <returns>What follows, and how long the row waits before it is sent again.</returns>
    public async ValueTask<(RefusalVerdict Verdict, TimeSpan Pause)> JudgeAsync(
        JobCall call, Deployment deployment, CallContext context, HttpAnswer answer, Classified found, CancellationToken cancellationToken)
    {
        var (batch, model) = (call.Job.Batch, call.Job.Model);
        if (found.Kind == OutcomeKind.Unexplained && (batch is null || options.KeepGoing || trials.IsProven(batch, model)))
            return (RefusalVerdict.Row, default);

        var status = found.Status ?? answer.Status;
        var kind = KindOf(found.Kind);
        var scope = ScopeOf(kind, status, call);
        var key = kind == RefusalKind.Account || status == 403 ? await deployment.Key.CheckAsync(cancellationToken) : KeyState.Unknown;
        if (key == KeyState.Refused)
        {
            deployment.Close(default, found, call.Flow, isConfirmed: true);
            return (RefusalVerdict.Close, default);
        }

        var refused = Refused(call, deployment, scope);
        call.Progress.Refused = refused;
        var (verdict, sends) = deployment.Evidence.Judge(new RefusalFacts(call.Job.Id, scope, status, found.Code, kind)
        {
            OthersSucceeded = HasSucceededSince(deployment, scope, context.Sent),
            OthersSucceededBetween = HasSucceededSince(deployment, scope, TimestampOf(refused.Since)),
            OthersInFlight = deployment.InFlight > 0,
            HasMoreRows = batch is not null && trials.HasMoreRows(batch, model),
            KeyIsValid = key == KeyState.Valid,
            HasAnswered = refused.HasAnswered,
        });
        if (verdict == RefusalVerdict.Close)
            deployment.Close(scope, found, call.Flow);
        // Behind rows that have not been sent yet, which take about as long.
        var pause = TimeSpan.FromSeconds(0.5 * Math.Pow(2, Math.Min(sends - 1, 5))) + (2 * time.GetElapsedTime(context.Sent));
        return (verdict, pause < LongestPause ? pause : LongestPause);
    }

    /// <summary>
    /// Whether a refusal is known to be the row's own: it was refused before, by whichever worker, and calls of the same scope have succeeded
    /// since then.
    /// </summary>
    public bool IsOfRow(JobCall call, Deployment deployment, HttpAnswer answer, Classified found)
    {
        var scope = ScopeOf(KindOf(found.Kind), found.Status ?? answer.Status, call);
        return call.Progress.Refused is { } refused
            && refused.Scope == HashOf(deployment, scope)
            && HasSucceededSince(deployment, scope, TimestampOf(refused.Since));
    }

    // The first of its refusals that are alike, and all that the workers that have judged it know.
    private JobRefusal Refused(JobCall call, Deployment deployment, FaultScope scope)
    {
        var hash = HashOf(deployment, scope);
        var hasAnswered = scope.Model is null ? deployment.LastSuccess != 0 : deployment.Of(scope.Model).HasAnswered;
        return call.Progress.Refused is { } earlier && earlier.Scope == hash
            ? earlier with { HasAnswered = earlier.HasAnswered || hasAnswered }
            : new JobRefusal(hash, time.GetUtcNow(), hasAnswered);
    }

    private static bool HasSucceededSince(Deployment deployment, FaultScope scope, long timestamp) => scope.Model is null
        ? deployment.LastSuccess is var last && last != 0 && last >= timestamp
        : deployment.Of(scope.Model).HasSucceededSince(timestamp);

    private static ulong HashOf(Deployment deployment, FaultScope scope) =>
        XxHash64.HashToUInt64(Encoding.UTF8.GetBytes($"{deployment.Name}\n{scope.Model}\n{scope.Path}\n{scope.Flow}"));

    private long TimestampOf(DateTimeOffset at) =>
        time.GetTimestamp() - (long)((time.GetUtcNow() - at).TotalSeconds * time.TimestampFrequency);

    private static RefusalKind KindOf(OutcomeKind kind) => kind switch
    {
        OutcomeKind.AccountFault => RefusalKind.Account,
        OutcomeKind.Refused => RefusalKind.Forbidden,
        OutcomeKind.ModelFault => RefusalKind.UnknownModel,
        _ => RefusalKind.Unexplained,
    };

    private static FaultScope ScopeOf(RefusalKind kind, int? status, JobCall call) => kind switch
    {
        RefusalKind.Account => default,
        RefusalKind.UnknownModel => new FaultScope(call.Model),
        _ => new FaultScope(call.Model, status is 404 or 405 or (>= 300 and < 400) ? call.Path : null, call.Flow),
    };
}
