using System.Diagnostics;

namespace LlmPipeline;

/// <summary>How far a run is: a live view on a terminal, a line every few seconds elsewhere.</summary>
internal sealed class RunProgress : IAsyncDisposable
{
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PollEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan RateWindow = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LeastProjected = TimeSpan.FromSeconds(5);
    private readonly Lock _lock = new();
    private readonly RunWatched _run;
    private readonly Func<string, string>? _render;
    private readonly Action _ended;
    private readonly CancellationTokenSource _stop = new();
    private readonly RowRate _rate = new(RateWindow);
    private readonly LimitingFactor _limiting;
    private readonly LivePanel? _panel;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly Task _loop;

    private RunProgress(RunWatched run, Func<string, string>? render, Action ended)
    {
        _run = run;
        _render = render;
        _ended = ended;
        _limiting = new LimitingFactor(run.Concurrency);
        _panel = render is null ? LivePanel.OnTerminal() : null;
        _loop = LoopAsync();
    }

    /// <summary>Shows it until it is disposed.</summary>
    /// <param name="run">What is shown.</param>
    /// <param name="render">Makes a line of text a line of the log; null where people read it, on a terminal or not.</param>
    /// <param name="ended">Called when the view ends.</param>
    public static RunProgress Start(RunWatched run, Func<string, string>? render, Action ended) => new(run, render, ended);

    /// <summary>A rendered line above the view.</summary>
    public void Write(string line)
    {
        lock (_lock)
        {
            if (_panel is null)
                Console.Error.WriteLine(line);
            else
                _panel.WriteLine(line);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        lock (_lock)
            _panel?.Erase();
        _stop.Dispose();
        _ended();
    }

    private async Task LoopAsync()
    {
        using var timer = new PeriodicTimer(PollEvery);
        var written = TimeSpan.Zero;
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                var figures = Figures();
                lock (_lock)
                {
                    if (_panel is not null)
                    {
                        _panel.Draw(ProgressPanel.Lines(figures, LivePanel.Width, _panel.IsUnicode));
                    }
                    else if (figures.Elapsed - written >= LineEvery)
                    {
                        written = figures.Elapsed;
                        var line = ProgressText.Line(figures);
                        Console.Error.WriteLine(_render is null ? SafeText.Printable(line) : _render(line));
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The run has ended.
        }
    }

    private ProgressFigures Figures()
    {
        var elapsed = Stopwatch.GetElapsedTime(_start);
        var (completed, failed) = (_run.Tally.Completed, _run.Tally.Failed);
        var (done, calls, deployments) = (completed + failed, _run.Worker.Counts, _run.Caller.Snapshot());
        var left = _run.Rows - done;
        _rate.Add(elapsed, done);
        var (spent, all) = (_run.Spending.OfThisRun, _run.Spending.InAll);
        return new ProgressFigures
        {
            Now = TimeProvider.System.GetUtcNow(),
            Rows = _run.Rows,
            Done = done,
            Failed = failed,
            Elapsed = elapsed,
            RowsPerSecond = _rate.PerSecond(elapsed),
            Left = _rate.Left(elapsed, left) + Gate(deployments),
            Calls = calls,
            Retries = deployments.Sum(one => one.Retries),
            RequestsPerMinute = (
                AMinute(deployments.Sum(one => one.CallsLastMinute), elapsed), Limit(deployments, one => one.RequestsPerMinute)),
            TokensPerMinute = (
                AMinute(deployments.Sum(one => one.InputTokensLastMinute + one.OutputTokensLastMinute), elapsed),
                Limit(deployments, one => one.TokensPerMinute)),
            Spent = spent is null ? null : all,
            Projected = spent is { } now && done > 0 && left > 0 ? all!.Value - now + ((decimal)now / done * _run.Rows) : null,
            Budget = _run.Spending.Budget,
            Failures = _run.Tally.LatestFailures,
            Limiting = left > 0 ? _limiting.Text(deployments, calls, completed, _rate.Idle(elapsed), elapsed) : null,
        };
    }

    // Of a wait that the provider asks for, the rest comes after it.
    private static TimeSpan Gate(IReadOnlyList<DeploymentStatus> deployments)
    {
        if (deployments.Count != 1 || deployments[0].GateClosedUntil is not { } until)
            return TimeSpan.Zero;
        var wait = until - TimeProvider.System.GetUtcNow();
        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }

    // In the first minute it is projected to a minute; the first seconds are too short for that.
    private static long AMinute(long used, TimeSpan elapsed) =>
        elapsed >= TimeSpan.FromMinutes(1) ? used : (long)(used * 60 / Math.Max(elapsed.TotalSeconds, LeastProjected.TotalSeconds));

    private static long? Limit(IReadOnlyList<DeploymentStatus> deployments, Func<DeploymentStatus, int?> limit) =>
        deployments.All(one => limit(one) is not null) ? deployments.Sum(one => (long)limit(one)!) : null;
}
