using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Which parts of a deployment are unavailable by a fault that no retry of a row resolves: a wrong key, an unknown model, a path that
/// redirects. Each is probed again by one waiting row at a time, after 1, 2, 4 … 60 s, and at once by the first row of a flow that has not
/// been refused yet; the first success reopens it.
/// </summary>
/// <param name="deployment">Its name.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told what is closed and reopened.</param>
/// <param name="changed">Called when anything is closed, reopened or may be probed.</param>
internal sealed partial class Availability(string deployment, TimeProvider time, ILogger logger, Action changed)
{
    // Beyond that the oldest is dropped, and found again by the rows that it concerns.
    private const int MostOutages = 256;
    private const int MostFlows = 1000;
    private static readonly TimeSpan FirstProbe = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();
    private Outage[] _outages = [];

    /// <summary>All outages, the oldest first.</summary>
    public IReadOnlyList<Outage> All => Volatile.Read(ref _outages);

    /// <summary>The outage that concerns a call; null when there is none.</summary>
    public Outage? Find(string model, string? path, string flow) =>
        Array.Find(Volatile.Read(ref _outages), one => one.Scope.Covers(model, path, flow));

    /// <summary>The outage that concerns a batch's calls of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The path; null for any of which one is known to be unavailable.</param>
    /// <param name="batch">The batch.</param>
    public Outage? FindOfBatch(string model, string? path, string batch) =>
        Array.Find(Volatile.Read(ref _outages), one => one.Scope.Covers(model, path ?? one.Scope.Path, batch));

    /// <summary>The outage that concerns every call of a model; null when there is none.</summary>
    public Outage? Find(string model) =>
        Array.Find(
            Volatile.Read(ref _outages),
            one => one.Scope is { Path: null, Flow: null } && (one.Scope.Model is null || one.Scope.Model == model));

    /// <summary>Makes a part unavailable, if it is not yet.</summary>
    /// <param name="scope">The part.</param>
    /// <param name="code">The error's code.</param>
    /// <param name="reason">The provider's sentence, without keys.</param>
    /// <param name="logged">The same without what may quote a prompt.</param>
    /// <param name="flow">The flow of the row that was refused.</param>
    /// <param name="isConfirmed">Whether a probe has confirmed it.</param>
    public void Close(FaultScope scope, string code, string reason, string logged, string flow, bool isConfirmed)
    {
        lock (_lock)
        {
            if (Array.Find(_outages, one => one.Scope.Covers(scope)) is { } known)
            {
                known.IsConfirmed |= isConfirmed;
                known.RefusedFlows.Add(flow);
                return;
            }

            var outage = new Outage(scope, code, reason, time.GetUtcNow())
            {
                IsConfirmed = isConfirmed,
                NextProbe = After(FirstProbe),
                NextLook = After(Look),
            };
            outage.RefusedFlows.Add(flow);
            var others = _outages.Where(one => !scope.Covers(one.Scope)).TakeLast(MostOutages - 1);
            Volatile.Write(ref _outages, [.. others, outage]);
        }

        LogClosed(deployment, scope.ToString() is { Length: > 0 } part ? $" ({part})" : "", logged);
        changed();
    }

    /// <summary>A call succeeded: what concerned it is over.</summary>
    public void Reopen(string model, string? path, string flow) => Reopen(one => one.Scope.Covers(model, path, flow));

    /// <summary>Reopens everything, or all that concerns one model, because an operator says so.</summary>
    public void Reopen(string? model) => Reopen(one => model is null || one.Scope.Model is null || one.Scope.Model == model);

    /// <summary>Whether a row of this flow may probe it now.</summary>
    public bool MayProbe(Outage outage, string flow)
    {
        lock (_lock)
            return MayProbeNow(outage, flow);
    }

    /// <summary>Takes the probe for a row, if it is free.</summary>
    public bool TryBeginProbe(Outage outage, string flow)
    {
        lock (_lock)
        {
            if (!MayProbeNow(outage, flow))
            {
                outage.NextLook = After(Look);
                return false;
            }

            outage.IsProbing = true;
            return true;
        }
    }

    /// <summary>A job was claimed for nothing: the next one is worth it only after a while.</summary>
    public void PutOff(Outage outage)
    {
        lock (_lock)
            outage.NextLook = After(Look);
    }

    /// <summary>The probing row was refused (true), or its call says nothing of the outage.</summary>
    public void EndProbe(Outage outage, string flow, bool isRefused)
    {
        lock (_lock)
        {
            outage.IsProbing = false;
            if (isRefused)
            {
                outage.IsConfirmed = true;
                if (outage.RefusedFlows.Count < MostFlows)
                    outage.RefusedFlows.Add(flow);
                outage.FailedProbes++;
                var pause = FirstProbe * Math.Pow(2, Math.Min(outage.FailedProbes, 8));
                outage.NextProbe = After(pause < LongestPause ? pause : LongestPause);
            }
            else
            {
                outage.NextProbe = Math.Max(outage.NextProbe, After(FirstProbe));
            }
        }

        changed();
    }

    /// <summary>How long until any row may probe it.</summary>
    public TimeSpan UntilProbe(Outage outage)
    {
        lock (_lock)
            return Until(outage.IsProbing ? After(FirstProbe) : outage.NextProbe);
    }

    /// <summary>How long until a job of this model is worth claiming although the model is unavailable.</summary>
    public TimeSpan UntilLook(Outage outage)
    {
        lock (_lock)
            return outage.IsProbing ? Look : Until(Math.Min(outage.NextProbe, outage.NextLook));
    }

    private void Reopen(Func<Outage, bool> isOver)
    {
        if (Volatile.Read(ref _outages).Length == 0)
            return;
        Outage[] over;
        lock (_lock)
        {
            over = Array.FindAll(_outages, one => isOver(one));
            if (over.Length == 0)
                return;
            Volatile.Write(ref _outages, Array.FindAll(_outages, one => !over.Contains(one)));
        }

        foreach (var one in over)
            LogReopened(deployment, one.Scope.ToString() is { Length: > 0 } part ? $" ({part})" : "");
        changed();
    }

    private bool MayProbeNow(Outage outage, string flow) =>
        !outage.IsProbing && (outage.NextProbe <= time.GetTimestamp() || !outage.RefusedFlows.Contains(flow));

    private long After(TimeSpan wait) => time.GetTimestamp() + (long)(wait.TotalSeconds * time.TimestampFrequency);

    private TimeSpan Until(long timestamp) =>
        timestamp > time.GetTimestamp() ? time.GetElapsedTime(time.GetTimestamp(), timestamp) : TimeSpan.Zero;

    [LoggerMessage(LogLevel.Error, "Deployment {Deployment}{Part} is unavailable and will be probed again: {Reason}")]
    private static partial void LogClosed(ILogger logger, string deployment, string part, string reason);

    private void LogClosed(string name, string part, string reason) => LogClosed(logger, name, part, reason);

    [LoggerMessage(LogLevel.Information, "Deployment {Deployment}{Part} is available again")]
    private static partial void LogReopened(ILogger logger, string deployment, string part);

    private void LogReopened(string name, string part) => LogReopened(logger, name, part);
}
