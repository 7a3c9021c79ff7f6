using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Reads request bodies whole.</summary>
internal static class RequestBody
{
    /// <summary>The body; empty when there is none.</summary>
    /// <exception cref="BadHttpRequestException">It is larger than the server allows, or its framing is wrong.</exception>
    public static async ValueTask<byte[]> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        ArrayBufferWriter<byte>? whole = null;
        while (true)
        {
            var read = await request.BodyReader.ReadAsync(cancellationToken);
            // As a rule it is all there at the first look.
            if (whole is null && (read.IsCompleted || read.Buffer.Length == request.ContentLength))
            {
                var body = read.Buffer.ToArray();
                request.BodyReader.AdvanceTo(read.Buffer.End);
                return body;
            }
            whole ??= new ArrayBufferWriter<byte>(Math.Max(256, (int)Math.Min(request.ContentLength ?? 0, SimulatorServer.MaxBodySize)));
            foreach (var part in read.Buffer)
                whole.Write(part.Span);
            request.BodyReader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                return whole.WrittenSpan.ToArray();
        }
    }
}
