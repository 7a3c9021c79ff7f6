using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace LlmPipeline;

/// <summary><c>/jobs</c>: submit, look, wait, follow, cancel.</summary>
/// <param name="desk">Where jobs are taken.</param>
/// <param name="reader">Reads what is asked for.</param>
/// <param name="time">The clock.</param>
/// <param name="stopping">Ends all waits: whoever waits gets how it is now, and asks another gateway.</param>
internal sealed class JobEndpoints(JobDesk desk, JobReader reader, TimeProvider time, CancellationToken stopping)
{
    private const int MostJobs = 500, LongestWait = 600;
    private const long MaxBodyBytes = 16 * 1024 * 1024;

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
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = MaxBodyBytes;
        var (objects, isList) = await JsonFields.ReadSomeAsync(context.Request, MostJobs, context.RequestAborted);
        using var body = objects[0];
        var jobs = await desk.TakeAsync(context.Owner(), reader.Read(objects));
        await context.WriteJsonAsync(isList ? JobView.ToJson(jobs) : jobs[0].ToJson(), StatusCodes.Status202Accepted);
    }

    private async Task GetAsync(HttpContext context)
    {
        var (owner, id, wait) = (context.Owner(), Id(context), Wait(context.Request));
        var record = await desk.FindAsync(owner, id) ?? throw NoSuchJob(id).Thrown();
        var view = wait is { } patience ? await WaitAsync(context, owner, id, record, patience) : null;
        view ??= await desk.ViewAsync(owner, id, record) ?? throw Gone(id).Thrown();
        await context.WriteJsonAsync(view.ToJson(), StatusCodes.Status200OK);
    }

    private async Task CancelAsync(HttpContext context)
    {
        var (owner, id) = (context.Owner(), Id(context));
        var record = await desk.FindAsync(owner, id) ?? throw NoSuchJob(id).Thrown();
        var asked = await desk.CancelAsync(owner, id, record);
        var view = (asked ? await WaitAsync(context, owner, id, record, CancelWait) : null)
            ?? await desk.ViewAsync(owner, id, record) ?? throw Gone(id).Thrown();
        await context.WriteJsonAsync(view.ToJson(), view.Result is null ? StatusCodes.Status202Accepted : StatusCodes.Status200OK);
    }

    private async Task FollowAsync(HttpContext context)
    {
        var (owner, id) = (context.Owner(), Id(context));
        var record = await desk.FindAsync(owner, id) ?? throw NoSuchJob(id).Thrown();
        if (await desk.ViewAsync(owner, id, record) is null)
            throw Gone(id).Thrown();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        await new JobEvents(context, desk, time).RunAsync(owner, id, record, ended);
    }

    /// <summary>Waits for the end of a job; null when the patience is over first.</summary>
    private async Task<JobView?> WaitAsync(HttpContext context, string owner, string id, JobRecord record, TimeSpan patience)
    {
        using var over = new CancellationTokenSource(patience, time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping, over.Token);
        try
        {
            return await desk.WaitAsync(owner, id, record, ended.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            return null;
        }
    }

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
