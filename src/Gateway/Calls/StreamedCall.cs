using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>
/// Passes a streamed answer on as it comes. Until the first delta nothing is answered, so that an error has its status; after that, an answer that cannot be
/// finished ends with an event that tells an error, and without <c>[DONE]</c>.
/// </summary>
internal sealed class StreamedCall(HttpContext context, string path, bool wantsUsage)
{
    private readonly EventStream _events = new(context);
    private readonly HashSet<int> _ended = [];
    private bool _hasText;

    /// <summary>Passes on until the answer's end.</summary>
    /// <returns>False: it was not passed on as a whole, and the job may still run.</returns>
    public async Task<bool> RunAsync(IAsyncEnumerable<StreamedPart> parts)
    {
        await foreach (var part in parts)
        {
            if (part.Result is { } result)
                return await EndAsync(result);
            if (part.Restarted && _hasText)
                return await BreakOffAsync(new ApiError(502, "The answer broke off and is made again; what was sent is void. Please try again.", "server_error", null, "stream_restarted"));
            if (part.Restarted)
                _ended.Clear();
            await PassOnAsync(part.Delta!);
        }

        return false;
    }

    private async Task PassOnAsync(string delta)
    {
        var chunk = Chunk.Read(delta);
        _hasText |= chunk.HasText;
        foreach (var choice in chunk.Ends)
            _ended.Add(choice);
        // Workers ask for the usage whether the caller did or not.
        if (!chunk.IsUsage || wantsUsage)
            await _events.SendAsync(chunk.Type, delta);
    }

    private async Task<bool> EndAsync(JobResult result)
    {
        if (!_events.HasStarted)
        {
            if (result.Status != ResultStatus.Completed)
            {
                await CallAnswer.WriteAsync(context, result);
                return true;
            }

            if (Chunk.OfWhole(path, result.Response, wantsUsage) is not { } whole)
                return await BreakOffAsync(new ApiError(
                    502, "The answer is not JSON, and cannot be streamed; ask without 'stream'.", "server_error", null,
                    "invalid_response"));
            await _events.SendAsync(whole.Name, whole.Data);
        }
        else if (result.Status != ResultStatus.Completed)
        {
            return await BreakOffAsync(CallAnswer.Error(result) ?? ApiError.Of(result.Meta.StatusCode ?? 502, result.Meta.Error?.Message ?? "no completion") with { Code = result.Meta.Error?.Code });
        }
        else if (_ended.Count < Chunk.EndsOf(path, result.Response))
        {
            return await BreakOffAsync(new ApiError(502, "A part of the answer was lost on its way. Please try again.", "server_error", null, "stream_incomplete"));
        }

        if (path != "/v1/responses")
            await _events.SendAsync(null, "[DONE]");
        return true;
    }

    private async Task<bool> BreakOffAsync(ApiError error)
    {
        await _events.SendAsync(
            path == "/v1/responses" ? "error" : null,
            JsonSerializer.Serialize(new ErrorBody(new ErrorFields(error.Message, error.Type, error.Param, error.Code)), GatewayJson.Wire.ErrorBody));
        return false;
    }
}
