using System.Globalization;

namespace LlmPipeline;

/// <summary>What keeps a run from being faster, in words.</summary>
/// <param name="concurrency">The most calls at the same time.</param>
internal sealed class LimitingFactor(int concurrency)
{
    private const int LongestReason = 160;

    // Shorter than the time between two lines of a log, so that the first of them names it.
    private static readonly TimeSpan Stalled = TimeSpan.FromSeconds(4);

    // A limit lets calls pass in between: what was seen so lately still counts.
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(3);
    private (TimeSpan At, string Text)? _wait;
    private (TimeSpan At, long Completed) _success;

    /// <summary>The factor now; null where that is not known.</summary>
    /// <param name="deployments">How they are doing.</param>
    /// <param name="calls">Where the rows are.</param>
    /// <param name="completed">Rows that have ended with a completion.</param>
    /// <param name="idle">The time since the last row ended.</param>
    /// <param name="elapsed">The time since the start of the run.</param>
    public string? Text(IReadOnlyList<DeploymentStatus> deployments, CallCounts calls, long completed, TimeSpan idle, TimeSpan elapsed)
    {
        if (completed != _success.Completed)
            _success = (elapsed, completed);
        var isStalled = elapsed - _success.At >= Stalled;
        return Closed(deployments) ?? Failing(deployments, calls, isStalled) ?? Silent(calls, idle) ?? Waiting(deployments, calls, elapsed);
    }

    // What takes no calls: unavailable, rate-limited, or left alone.
    private static string? Closed(IReadOnlyList<DeploymentStatus> deployments)
    {
        foreach (var deployment in deployments)
        {
            var name = deployments.Count > 1 ? deployment.Name + " " : "";
            if (deployment.Outages.Count > 0)
                return $"{name}unavailable: {Short(deployment.Outages[0].Reason)}";
            if (deployment.Models.FirstOrDefault(one => one.GateClosedUntil is not null) is { } limited)
            {
                var reason = limited.GateReason is null ? "" : $": {Short(limited.GateReason)}";
                return $"{name}rate-limited until {Clock(limited.GateClosedUntil!.Value)} by the provider{reason}";
            }

            if (deployment.Models.FirstOrDefault(one => one.CircuitOpenUntil is not null) is { } broken)
            {
                var failure = Short(deployment.RecentFailure ?? broken.CircuitReason ?? "it keeps failing");
                return $"{(name.Length > 0 ? $"{deployment.Name}: " : "")}{failure}; tried again at {Clock(broken.CircuitOpenUntil!.Value)}";
            }
        }

        return null;
    }

    private static string? Failing(IReadOnlyList<DeploymentStatus> deployments, CallCounts calls, bool isStalled)
    {
        // While others succeed, only what is tried again is worth a word.
        var failures = deployments
            .Select(one => (
                one.Name,
                Failure: isStalled ? one.LastFailure : calls.Retrying > 0 ? one.RecentFailure : null,
                Recent: one.RecentFailure))
            .Where(one => one.Failure is not null)
            .Select(one => $"{(deployments.Count > 1 ? $"{one.Name}: " : "")}{Short(one.Recent ?? one.Failure!)}")
            .ToList();
        if (failures.Count == 0)
            return null;
        var text = string.Join("; ", failures);
        return calls.Retrying == 0
            ? $"last failure: {text}"
            : $"{ProgressText.Count(calls.Retrying)} {(calls.Retrying == 1 ? "call" : "calls")} retrying: {text}";
    }

    private static string? Silent(CallCounts calls, TimeSpan idle) => calls.InFlight > 0 && idle >= Stalled
        ? string.Create(
            CultureInfo.InvariantCulture,
            $"no answer for {idle.TotalSeconds:0} s: {calls.InFlight:N0} {(calls.InFlight == 1 ? "call waits" : "calls wait")} for the endpoint")
        : null;

    private string? Waiting(IReadOnlyList<DeploymentStatus> deployments, CallCounts calls, TimeSpan elapsed)
    {
        if (calls.InFlight >= concurrency)
            _wait = (elapsed, $"all {ProgressText.Count(concurrency)} calls at the same time are in use (--concurrency)");
        else if (deployments.FirstOrDefault(one => one.WaitingFor is not null) is { } deployment)
            _wait = (elapsed, $"waiting for {Name(deployment.WaitingFor!.Value)} of {deployment.Name}");
        return _wait is { } wait && elapsed - wait.At <= Remembered ? wait.Text : null;
    }

    private static string Name(QuotaLimit limit) => limit switch
    {
        QuotaLimit.Requests => "requests/min",
        QuotaLimit.Tokens => "tokens/min",
        _ => "the calls at the same time",
    };

    private static string Clock(DateTimeOffset time) => ProgressText.Clock(time, TimeProvider.System.GetUtcNow());

    private static string Short(string reason) => SafeText.Line(reason, LongestReason);
}
