using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace LlmPipeline;

/// <summary>
/// Synchronous calls, <c>/chat/completions</c> and its neighbours: a job each, in the lane of interactive work, whose deadline is the caller's patience.
/// Who hangs up cancels it.
/// </summary>
internal sealed partial class CallEndpoints(GatewayParts parts, ByteBudget budget, ILogger<CallEndpoints> logger)
{
    /// <summary>The name of the path's value that is Azure's deployment: the model, whatever the body says.</summary>
    public const string Deployment = "deployment";

    /// <summary>The calls, without the middleware before them.</summary>
    public static readonly string[] Paths = ["/chat/completions", "/completions", "/embeddings", "/responses"];

    // A worker ends a job at its deadline, and the answer then says what stood in its way.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    // An answer was for its caller alone; a worker that died before it had settled the job still finds it.
    private static readonly TimeSpan ResultLife = TimeSpan.FromMinutes(10);

    public void Map(IEndpointRouteBuilder routes)
    {
        foreach (var path in Paths)
            routes.MapPost(path, context => CallAsync(context, "/v1" + path));
    }

    private async Task CallAsync(HttpContext context, string path)
    {
        using var bytes = budget.For(context);
        var (job, isStreamed, wantsUsage) = await ReceiveAsync(context, path, bytes);
        using var patience = new CancellationTokenSource(parts.Options.CallTimeout + Grace, parts.Time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, patience.Token);
        var done = false;
        try
        {
            done = isStreamed
                ? await StreamAsync(context, path, job, wantsUsage, bytes, ended.Token)
                : await AnswerAsync(context, job, bytes, ended.Token);
        }
        catch (OperationCanceledException e) when (patience.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            throw (await NoAnswerAsync(job.Queue)).Thrown(e);
        }
        catch (Exception e) when (e is QueueFullException or QueueLimitException)
        {
            done = true;
            throw;
        }
        finally
        {
            if (!done)
                await CancelAsync(job);
        }

        await parts.Results.ShortenAsync(job.Id, ResultLife);
    }

    // Apart, so that nothing holds the body while its answer is waited for.
    private async Task<(
        OutgoingJob Job, bool IsStreamed, bool WantsUsage)> ReceiveAsync(HttpContext context, string path, CountedBytes bytes)
    {
        var deployment = RequestShape.Segment(context, Deployment);
        var body = await CallBody.ReceiveAsync(context.Request, deployment, parts.Queue.Options.MaxJobBytes, bytes, context.RequestAborted);
        await parts.Models.CheckAsync(body.Model);
        var job = new Job
        {
            Id = $"c-{context.Owner()}-{RequestId.Of(context).Unique}",
            Queue = body.Model,
            Lane = Lane.High,
            Deadline = parts.Time.GetUtcNow() + parts.Options.CallTimeout,
            MaxAttempts = parts.MaxAttempts,
            AttemptTimeout = parts.AttemptTimeout,
            // Also when the caller is gone by then.
            ResultLife = ResultLife,
            Work = new RequestWork { Path = path, Body = body.Bytes },
        };
        return (new OutgoingJob(job, bytes), body.IsStreamed, body.WantsUsage);
    }

    private async Task<bool> AnswerAsync(HttpContext context, OutgoingJob job, CountedBytes bytes, CancellationToken cancellationToken)
    {
        await job.EnqueueAsync(parts.Queue);
        await CallAnswer.WriteAsync(
            context, await parts.Results.WaitAsync(job.Id, bytes.AnswerArrived(cancellationToken), cancellationToken));
        return true;
    }

    private Task<bool> StreamAsync(
        HttpContext context, string path, OutgoingJob job, bool wantsUsage, CountedBytes bytes, CancellationToken cancellationToken) =>
        new StreamedCall(context, path, wantsUsage).RunAsync(
            parts.Results.StreamAsync(job.Id, () => job.EnqueueAsync(parts.Queue), bytes.OfStream(cancellationToken), cancellationToken));

    /// <summary>Workers end it, by breaking off the call if it runs. Where they can't be told, its deadline ends it.</summary>
    private async Task CancelAsync(OutgoingJob job)
    {
        try
        {
            await parts.Queue.CancelAsync(job.Queue, [job.Id]);
        }
        catch (Exception e) when (RedisRetry.MayPass(e))
        {
            LogNotCancelled(job.Id, e.GetType().Name);
        }
    }

    // A gateway knows no deployments, but it can hear whether any worker listens.
    private async Task<ApiError> NoAnswerAsync(string model) => await parts.Queue.IsServedAsync(model)
        ? CallAnswer.NoAnswer($"the workers of the model '{model}' are busy, or its endpoints take no calls")
        : CallAnswer.NoAnswer($"no worker serves the model '{model}' now", "model_not_served");

    [LoggerMessage(Level = LogLevel.Warning, Message = "Job {JobId}, whose caller is gone, could not be cancelled ({Reason}); it ends by its deadline")]
    private partial void LogNotCancelled(string jobId, string reason);
}
