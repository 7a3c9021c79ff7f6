using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace LlmPipeline;

/// <summary>How far a run is: a live line on a terminal, a line every few seconds elsewhere.</summary>
internal sealed class RunProgress : IAsyncDisposable
{
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(5);
    // Shorter than the time between two lines, so that the first of them tells it.
    private static readonly TimeSpan Stalled = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan DrawEvery = TimeSpan.FromMilliseconds(250);
    private readonly Lock _lock = new();
    private readonly RunTally _tally;
    private readonly RunSpending _spending;
    private readonly WorkerProcess _worker;
    private readonly LlmCaller _caller;
    private readonly int _rows;
    private readonly Func<string, string> _render;
    private readonly Action _ended;
    private readonly CancellationTokenSource _stop = new();
    private readonly Queue<(long At, long Done)> _recent = new();
    private readonly IAnsiConsole? _terminal;
    private readonly Task _loop;
    private bool _drawn;
    private (long At, long Completed) _success = (Stopwatch.GetTimestamp(), 0);

    private RunProgress(RunTally tally, RunSpending spending, WorkerProcess worker, LlmCaller caller, int rows, Func<string, string>? render, Action ended)
    {
        _tally = tally;
        _spending = spending;
        _worker = worker;
        _caller = caller;
        _rows = rows;
        _render = render ?? (line => SafeText.Printable(line));
        _ended = ended;
        _recent.Enqueue((Stopwatch.GetTimestamp(), 0));
        _terminal = Console.IsErrorRedirected || render is not null ? null : AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        _loop = LoopAsync();
    }

    /// <param name="tally">The rows that have ended.</param>
    /// <param name="spending">What the run costs.</param>
    /// <param name="worker">Who runs the rows.</param>
    /// <param name="caller">Who calls for them.</param>
    /// <param name="rows">How many are to be called for.</param>
    /// <param name="render">Makes a line of text a line of the log; null where people read it, on a terminal or not.</param>
    /// <param name="ended">Called when the view ends.</param>
    public static RunProgress Start(RunTally tally, RunSpending spending, WorkerProcess worker, LlmCaller caller, int rows, Func<string, string>? render, Action ended) =>
        new(tally, spending, worker, caller, rows, render, ended);

    /// <summary>A rendered line above the view.</summary>
    public void Write(string line)
    {
        lock (_lock)
        {
            Erase();
            Console.Error.WriteLine(line);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        lock (_lock)
            Erase();
        _stop.Dispose();
        _ended();
    }

    private async Task LoopAsync()
    {
        using var timer = new PeriodicTimer(_terminal is null ? LineEvery : DrawEvery);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                var text = _render(Text());
                lock (_lock)
                {
                    Erase();
                    if (_terminal is null)
                    {
                        Console.Error.WriteLine(text);
                        continue;
                    }

                    _terminal.Write(new Markup(Markup.Escape(text.Length < _terminal.Profile.Width ? text : text[..(_terminal.Profile.Width - 1)])));
                    _drawn = true;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The run has ended.
        }
    }

    /// <summary>Clears the line that was drawn.</summary>
    private void Erase()
    {
        if (!_drawn)
            return;
        Console.Error.Write("\r\u001b[2K");
        _drawn = false;
    }

    private string Text()
    {
        var completed = _tally.Completed;
        var failed = _tally.Failed;
        var rate = Rate(completed + failed);
        var deployments = _caller.Snapshot();
        var perMinute = deployments.Sum(d => d.InputTokensLastMinute + d.OutputTokensLastMinute);
        var limit = deployments.All(d => d.TokensPerMinute is not null) ? deployments.Sum(d => (long)d.TokensPerMinute!) : 0;
        var left = _rows - completed - failed;
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"{RunConsole.Text(completed + failed)}/{RunConsole.Text(_rows)} done, {RunConsole.Text(failed)} failed, {_worker.Counts}, {rate:0.0}/s, {RunConsole.Text(perMinute)}{(limit > 0 ? $" of {RunConsole.Text(limit)}" : "")} tokens/min, {RunConsole.Text(deployments.Sum(d => d.Retries))} retries");
        if (rate > 0 && left > 0)
            text += ", " + Left(TimeSpan.FromSeconds(left / rate)) + " left";
        if (_spending.OfThisRun is { } spent)
        {
            text += $", cost {Money.About(_spending.InAll ?? spent)}";
            if (completed + failed > 0 && left > 0)
                text += $", about {Money.About((_spending.InAll ?? spent) - spent + ((decimal)spent / (completed + failed) * _rows))} at the end";
        }

        var obstacle = RunObstacles.Text(deployments);
        return obstacle is null ? text + LastFailure(deployments, completed) : $"{text}, {obstacle}";
    }

    /// <summary>Why nothing succeeds: what each deployment has met since its last success, once no row has completed for some seconds.</summary>
    private string LastFailure(IReadOnlyList<DeploymentStatus> deployments, long completed)
    {
        if (completed != _success.Completed)
            _success = (Stopwatch.GetTimestamp(), completed);
        if (Stopwatch.GetElapsedTime(_success.At) < Stalled)
            return "";
        var failures = deployments.Where(d => d.LastFailure is not null).Select(d => deployments.Count > 1 ? $"{d.Name}: {d.LastFailure}" : d.LastFailure!).ToList();
        return failures.Count == 0 ? "" : $", last failure: {string.Join("; ", failures)}";
    }

    /// <summary>Rows per second over the last half minute.</summary>
    private double Rate(long done)
    {
        var now = Stopwatch.GetTimestamp();
        _recent.Enqueue((now, done));
        while (_recent.Count > 2 && Stopwatch.GetElapsedTime(_recent.Peek().At, now) > TimeSpan.FromSeconds(30))
            _recent.Dequeue();
        var (at, before) = _recent.Peek();
        var seconds = Stopwatch.GetElapsedTime(at, now).TotalSeconds;
        return seconds > 0 ? (done - before) / seconds : 0;
    }

    private static string Left(TimeSpan left) => left.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(int)left.TotalHours} h {left.Minutes} min")
        : left.TotalMinutes >= 1 ? string.Create(CultureInfo.InvariantCulture, $"{left.Minutes} min {left.Seconds} s")
        : string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(left.TotalSeconds)} s");
}
