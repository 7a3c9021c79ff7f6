using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmPipeline;

/// <summary><c>/jobs</c>: submit, look, wait, follow, cancel.</summary>
/// <param name="desk">Where jobs are taken.</param>
/// <param name="reader">Reads what is asked for.</param>
/// <param name="budget">What may be held of requests and answers.</param>
/// <param name="maxJobBytes">The largest job that the queue takes.</param>
/// <param name="time">The clock.</param>
/// <param name="stopping">Ends all waits: whoever waits gets how it is now, and asks another gateway.</param>
internal sealed class JobEndpoints(
    JobDesk desk, JobReader reader, ByteBudget budget, int maxJobBytes, TimeProvider time, CancellationToken stopping)
{
    private const int MostJobs = 500, LongestWait = 600;

    // Of a list, where a job may not have more by itself.
    private const int LeastBodyBytes = 16 * 1024 * 1024;

    // The body's slices in a JsonDocument, a job's work, its envelope, and that as it is sent.
    private const int Copies = 4;

    // Waiting jobs are ended by workers at once; whoever cancels sees it mostly in the answer already.
    private static readonly TimeSpan CancelWait = TimeSpan.FromSeconds(1);

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/jobs", CreateAsync);
        routes.MapGet("/jobs/{id}", GetAsync);
        routes.MapDelete("/jobs/{id}", CancelAsync);
        routes.MapGet("/jobs/{id}/events", FollowAsync);
    }

    private async Task CreateAsync(HttpContext context)
    {
        using var bytes = budget.For(context);
        var (jobs, isList) = await TakeAsync(context, bytes);
        bytes.Return();
        if (isList)
            await WriteListAsync(context, jobs, bytes);
        else
            await context.WriteJsonAsync((await ViewAsync(context, jobs[0], bytes)).ToJson(), StatusCodes.Status202Accepted);
    }

    // Apart, so that nothing holds the body any more when the jobs are on their queue.
    private async Task<(IReadOnlyList<TakenJob> Jobs, bool IsList)> TakeAsync(HttpContext context, CountedBytes bytes)
    {
        var most = Math.Max(LeastBodyBytes, RequestBytes.MostOfJob(maxJobBytes));
        var received = await RequestBytes.ReceiveAsync(context.Request, most, Copies, bytes, context.RequestAborted);
        var (requests, isList) = await RequestBytes.ReadAsync(received, Read, bytes, context.RequestAborted);
        return (await desk.TakeAsync(context.Owner(), requests), isList);
    }

    private (IReadOnlyList<JobRequest> Requests, bool IsList) Read(ReadOnlyMemory<byte> received)
    {
        var (objects, isList) = JsonFields.ReadSome(received, MostJobs);
        using var body = objects[0];
        return (reader.Read(objects), isList);
    }

    /// <summary>A list is written job by job: those that were known by their idempotency keys may have large results.</summary>
    private async Task WriteListAsync(HttpContext context, IReadOnlyList<TakenJob> jobs, CountedBytes bytes)
    {
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        context.Response.ContentType = "application/json";
        for (var n = 0; n < jobs.Count; n++)
        {
            var view = await ViewAsync(context, jobs[n], bytes);
            await context.WriteBytesAsync(n == 0 ? JobView.ListStart : JobView.ListNext);
            foreach (var part in view.ToJson())
                await context.WriteBytesAsync(part);
            bytes.Return();
        }

        await context.WriteBytesAsync(JobView.ListEnd);
    }

    private async Task<JobView> ViewAsync(HttpContext context, TakenJob job, CountedBytes bytes) =>
        (job.IsKnown ? await desk.ViewAsync(context.Owner(), job.Id, job.Record, bytes, context.RequestAborted) : null)
            ?? new JobView(job.Id, job.Record, JobView.Queued, null);

    private async Task GetAsync(HttpContext context)
    {
        using var bytes = budget.For(context);
        var (owner, id, wait) = (context.Owner(), Id(context), Wait(context.Request));
        var record = await desk.FindAsync(owner, id) ?? throw NoSuchJob(id).Thrown();
        var view = wait is { } patience ? await WaitAsync(context, owner, id, record, patience, bytes) : null;
        view ??= await desk.ViewAsync(owner, id, record, bytes, context.RequestAborted) ?? throw Gone(id).Thrown();
        await context.WriteJsonAsync(view.ToJson(), StatusCodes.Status200OK);
    }

    private async Task CancelAsync(HttpContext context)
    {
        using var bytes = budget.For(context);
        var (owner, id) = (context.Owner(), Id(context));
        var record = await desk.FindAsync(owner, id) ?? throw NoSuchJob(id).Thrown();
        if (Forgets(context.Request))
        {
            if (!await desk.ForgetAsync(owner, id, record))
                throw ApiError.Conflict($"Job '{id}' has not ended; DELETE without 'forget' cancels it.", "id").Thrown();
            await context.WriteJsonAsync(new DeletedBody(id, "job", true), GatewayJson.Wire.DeletedBody);
            return;
        }

        var asked = await desk.CancelAsync(owner, id, record);
        var view = (asked ? await WaitAsync(context, owner, id, record, CancelWait, bytes) : null)
            ?? await desk.ViewAsync(owner, id, record, bytes, context.RequestAborted) ?? throw Gone(id).Thrown();
        await context.WriteJsonAsync(view.ToJson(), view.Result is null ? StatusCodes.Status202Accepted : StatusCodes.Status200OK);
    }

    private async Task FollowAsync(HttpContext context)
    {
        using var bytes = budget.For(context);
        var (owner, id) = (context.Owner(), Id(context));
        var record = await desk.FindAsync(owner, id) ?? throw NoSuchJob(id).Thrown();
        if (await desk.StatusAsync(owner, id, record) is null)
            throw Gone(id).Thrown();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        await new JobEvents(context, desk, bytes, time).RunAsync(owner, id, record, ended);
    }

    /// <summary>Waits for the end of a job; null when the patience is over first.</summary>
    private async Task<JobView?> WaitAsync(
        HttpContext context, string owner, string id, JobRecord record, TimeSpan patience, CountedBytes bytes)
    {
        using var over = new CancellationTokenSource(patience, time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping, over.Token);
        try
        {
            return await desk.WaitAsync(owner, id, record, bytes, ended.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            bytes.Return();
            return null;
        }
    }

    private static bool Forgets(HttpRequest request) => request.Query["forget"].ToString() switch
    {
        "" or "false" => false,
        "true" => true,
        _ => throw ApiError.Invalid("forget", "'forget' must be true or false.").Thrown(),
    };

    private static TimeSpan? Wait(HttpRequest request)
    {
        var text = request.Query["wait"].ToString();
        if (text.Length == 0)
            return null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= LongestWait
            ? seconds > 0 ? TimeSpan.FromSeconds(seconds) : null
            : throw ApiError.Invalid("wait", $"'wait' must be whole seconds from 0 to {LongestWait}.").Thrown();
    }

    private static ApiError NoSuchJob(string id) => ApiError.NotFound($"No job found with id '{id}'.", "id");

    private static ApiError Gone(string id) => ApiError.NotFound($"Job '{id}' has ended and its result is no longer kept, or it never reached its queue: submit it again.", "id");

    private static string Id(HttpContext context) => (string)context.Request.RouteValues["id"]!;
}
