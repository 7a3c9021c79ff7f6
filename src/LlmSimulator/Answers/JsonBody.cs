using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>Composes JSON bodies.</summary>
internal sealed class JsonBody(bool pretty)
{
    private readonly JsonWriterOptions _options = new()
    {
        Indented = pretty,
        SkipValidation = true,
        // As providers do: text stays readable. The bodies are no part of an HTML page.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The body that <paramref name="write"/> writes.</summary>
    public ReadOnlyMemory<byte> Compose<TState>(TState state, Action<Utf8JsonWriter, TState> write)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, _options))
            write(json, state);
        return buffer.WrittenMemory;
    }
}
