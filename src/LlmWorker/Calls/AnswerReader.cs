using System.Net.Http.Headers;

namespace LlmPipeline;

/// <summary>Reads the whole answer to an HTTP call, streamed or not, so that it is under the attempt's timeout and seen by the circuit breaker.</summary>
internal static class AnswerReader
{
    /// <summary>Reads the body into the response; of a stream the body that a call without <c>stream</c> would have had.</summary>
    public static async Task LoadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (!response.IsSuccessStatusCode || response.Content.Headers.ContentType?.MediaType != StreamedAnswer.MediaType)
        {
            await response.Content.LoadIntoBufferAsync(cancellationToken);
            return;
        }

        using var streamed = response.Content;
        var body = await StreamedAnswer.ReadAsync(await streamed.ReadAsStreamAsync(cancellationToken), CallContext.Current.Delta, cancellationToken);
        response.Content = new ByteArrayContent(body);
        response.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
    }

    /// <summary>The answer as the classification needs it.</summary>
    /// <param name="response">A loaded one.</param>
    /// <param name="provider">Whose answer it is.</param>
    /// <param name="number">The call's number.</param>
    /// <param name="started">When the call was sent.</param>
    /// <param name="now">The time.</param>
    public static async ValueTask<HttpAnswer> CaptureAsync(HttpResponseMessage response, Provider provider, long number, DateTimeOffset started, DateTimeOffset now)
    {
        var body = await response.Content.ReadAsByteArrayAsync(CancellationToken.None);
        return new HttpAnswer
        {
            Status = (int)response.StatusCode,
            Body = body,
            Parsed = AnswerBody.Read(body),
            MediaType = response.Content.Headers.ContentType?.MediaType,
            RequestId = provider.RequestId(response),
            Location = response.Headers.Location is { } location && response.RequestMessage?.RequestUri is { } from ? new Uri(from, location) : null,
            Number = number,
            Limits = provider.Limits(response, now),
            Started = started,
        };
    }
}
