using System.Text;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Tells the life of a job as server-sent events: <c>queued</c>, <c>running</c>, <c>delta</c>, <c>restarted</c>, <c>done</c>.</summary>
internal sealed class JobEvents(HttpContext context, JobDesk desk, CountedBytes bytes, TimeProvider time)
{
    private static readonly TimeSpan FirstLook = TimeSpan.FromSeconds(0.5), LongestLook = TimeSpan.FromSeconds(5), Silence = TimeSpan.FromSeconds(15);

    private readonly EventStream _events = new(context);
    private string? _told;

    /// <summary>Tells it until the job has ended, or <paramref name="ended"/> does.</summary>
    public async Task RunAsync(string owner, string id, JobRecord record, CancellationTokenSource ended)
    {
        await using var parts = desk.FollowAsync(owner, id, bytes, ended.Token).GetAsyncEnumerator(ended.Token);
        var next = parts.MoveNextAsync().AsTask();
        try
        {
            await TellStateAsync(owner, id, record);
            var (pause, quiet) = (FirstLook, time.GetTimestamp());
            while (true)
            {
                using var awake = CancellationTokenSource.CreateLinkedTokenSource(ended.Token);
                var first = await Task.WhenAny(next, Task.Delay(pause, time, awake.Token));
                await awake.CancelAsync();
                if (first != next)
                {
                    pause = pause * 2 < LongestLook ? pause * 2 : LongestLook;
                    if (await TellStateAsync(owner, id, record))
                        quiet = time.GetTimestamp();
                    else if (time.GetElapsedTime(quiet) > Silence)
                        quiet = await KeepOpenAsync();
                    continue;
                }

                if (!await next || await TellAsync(id, record, parts.Current))
                    return;
                next = parts.MoveNextAsync().AsTask();
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            // The gateway is being stopped: the stream ends without a 'done', and the client asks another one.
        }
        finally
        {
            await ended.CancelAsync();
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<long> KeepOpenAsync()
    {
        await _events.SendNothingAsync();
        return time.GetTimestamp();
    }

    /// <summary>Tells a part; true: it was the last.</summary>
    private async Task<bool> TellAsync(string id, JobRecord record, StreamedPart part)
    {
        if (part.Result is { } result)
        {
            await SendAsync("done", JobView.OfEnded(id, record, result));
            return true;
        }

        if (_told != JobView.Running)
            await SendAsync(_told = JobView.Running, new JobView(id, record, JobView.Running, null));
        if (part.Restarted)
            await SendAsync("restarted", new JobView(id, record, JobView.Running, null));
        await _events.SendAsync("delta", Encoding.UTF8.GetString(LenientJson.AsJson(Encoding.UTF8.GetBytes(part.Delta!)).Span));
        return false;
    }

    /// <summary>Tells whether it waits or runs, if that is new. A job that waits again after a failure is told so too.</summary>
    private async Task<bool> TellStateAsync(string owner, string id, JobRecord record)
    {
        var status = await desk.StatusAsync(owner, id, record);
        if (status is not (JobView.Queued or JobView.Running) || status == _told)
            return false;
        await SendAsync(_told = status, new JobView(id, record, status, null));
        return true;
    }

    private Task SendAsync(string name, JobView view) => _events.SendAsync(name, view.ToJson());
}
