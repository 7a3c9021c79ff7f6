using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.SemanticKernel;

namespace LlmPipeline;

/// <summary>
/// Names a request by the first 128 bits of a SHA-256: the same for the same model, path and body, whatever the order of its fields, its white space and its
/// escapes; for a prompt function the same for the same messages. A body's numbers, and the order below <c>properties</c> of a schema, which shapes answers, stay as they are.
/// </summary>
internal sealed class RequestHash(RunPlan plan)
{
    private static readonly JsonDocumentOptions AnyBody = new() { MaxDepth = 256 };
    private static readonly JsonWriterOptions Unchecked = new() { SkipValidation = true, MaxDepth = 256 };
    private readonly Kernel _kernel = new();
    private readonly ArrayBufferWriter<byte> _text = new();

    public async Task<UInt128> OfAsync(InputRow row, CancellationToken cancellationToken)
    {
        _text.ResetWrittenCount();
        Part(row.Model);
        Part(row.Url ?? "");
        if (row.Variables is null)
        {
            Body(row.Body);
        }
        else
        {
            foreach (var message in await plan.Function!.RenderAsync(_kernel, row.Variables, cancellationToken).ConfigureAwait(false))
            {
                Part(message.Role.Label);
                Part(message.Content ?? "");
            }
        }

        return First(SHA256.HashData(_text.WrittenSpan));
    }

    private void Part(string part)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_text.GetSpan(4), Encoding.UTF8.GetByteCount(part));
        _text.Advance(4);
        Encoding.UTF8.GetBytes(part, _text);
    }

    private void Body(ReadOnlyMemory<byte> body)
    {
        var begun = _text.WrittenCount;
        try
        {
            using var document = JsonDocument.Parse(body, AnyBody);
            using var writer = new Utf8JsonWriter(_text, Unchecked);
            Write(writer, document.RootElement, isSorted: true);
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair in a string has no other spelling: the bytes are the request, whatever was written of it before.
            BinaryPrimitives.WriteInt32LittleEndian(_text.GetSpan(4), begun);
            _text.Advance(4);
            _text.Write(body.Span);
        }
    }

    private static void Write(Utf8JsonWriter writer, JsonElement element, bool isSorted)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var field in isSorted ? element.EnumerateObject().OrderBy(field => field.Name, StringComparer.Ordinal) : element.EnumerateObject().AsEnumerable())
                {
                    writer.WritePropertyName(field.Name);
                    Write(writer, field.Value, field.Name != "properties");
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in element.EnumerateArray())
                    Write(writer, item, isSorted: true);
                writer.WriteEndArray();
                break;
            case JsonValueKind.String:
                writer.WriteStringValue(element.GetString());
                break;
            default:
                writer.WriteRawValue(element.GetRawText(), skipInputValidation: true);
                break;
        }
    }

    private static UInt128 First(ReadOnlySpan<byte> hash) => BinaryPrimitives.ReadUInt128LittleEndian(hash);
}
